/* Loops whose bodies fill the registers of a small core: clang would unroll them once more, and spill. */
#ifndef MICRO_LOOP_H
#define MICRO_LOOP_H

#if defined(__clang__) && !defined(__SSE2__) && !defined(__ARM_NEON) && !defined(__ARM_FEATURE_MVE)
#define MICRO_AS_IT_IS _Pragma("clang loop unroll(disable)")
#else
#define MICRO_AS_IT_IS
#endif

/* Functions around such loops: clang would mix what surrounds their calls into them. */
#if defined(__clang__)
#define MICRO_ALONE __attribute__((noinline))
#else
#define MICRO_ALONE
#endif

#endif
