/* A delegate of TensorFlow Lite for tests. It takes every ADD of two float32 tensors of one size, and by its options
 * nothing (take=nothing), fails when it is made (fail=make) or when it prepares the network (fail=prepare), or
 * computes wrongly (wrong=1). The structures are those of tensorflow/lite/core/c/common.h, as far as they are used. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { OK = 0, ERROR = 1, FLOAT32 = 1, ADD = 0 };

struct ints {
    int size;
    int data[];
};
struct tensor {
    int type;
    float *data;
    struct ints *dims;
    float scale;
    int32_t zero_point;
    int allocation;
    size_t bytes;
    void *rest[8];
};
struct context;
struct node {
    struct ints *inputs, *outputs;
};
struct registration {
    void *(*init)(struct context *, const char *, size_t);
    void (*free)(struct context *, void *);
    int (*prepare)(struct context *, struct node *);
    int (*invoke)(struct context *, struct node *);
    const char *(*profiling)(struct context *, struct node *);
    int32_t builtin_code;
    const char *name;
    int version;
    void *external, *async;
    uint64_t inplace;
};
struct delegate {
    void *data;
    int (*prepare)(struct context *, struct delegate *);
    void *copies[3];
    int64_t flags;
    void *builder;
};
struct context {
    size_t count;
    int (*plan)(struct context *, struct ints **);
    struct tensor *tensors;
    void *impl;
    int (*resize)(struct context *, struct tensor *, struct ints *);
    void (*report)(struct context *, const char *, ...);
    int (*add)(struct context *, int, int *);
    int (*get_node)(struct context *, int, struct node **, struct registration **);
    int (*replace)(struct context *, struct registration, const struct ints *, struct delegate *);
};
struct options {
    int nothing, fails, wrong;
};
/* What init is given of a part that was taken. */
struct part {
    struct delegate *delegate;
    struct ints *nodes, *inputs, *outputs;
};
struct kernel {
    int wrong, count;
    struct {
        int a, b, out;
    } adds[64];
};

static int takes(struct context *context, const struct node *node, const struct registration *operator)
{
    if (operator->builtin_code != ADD || node->inputs->size != 2)
        return 0;
    const struct tensor *a = &context->tensors[node->inputs->data[0]], *b = &context->tensors[node->inputs->data[1]];
    return a->type == FLOAT32 && b->type == FLOAT32 && a->bytes == b->bytes;
}

static void *init(struct context *context, const char *buffer, size_t length)
{
    const struct part *part = (const struct part *)buffer;
    struct kernel *kernel = calloc(1, sizeof *kernel);
    (void)length;
    kernel->wrong = ((struct options *)part->delegate->data)->wrong;
    for (int i = 0; i < part->nodes->size && i < 64; i++) {
        struct node *node;
        struct registration *operator;
        if (context->get_node(context, part->nodes->data[i], &node, &operator) != OK)
            continue;
        kernel->adds[kernel->count].a = node->inputs->data[0];
        kernel->adds[kernel->count].b = node->inputs->data[1];
        kernel->adds[kernel->count++].out = node->outputs->data[0];
    }
    return kernel;
}

static void release(struct context *context, void *kernel)
{
    (void)context;
    free(kernel);
}

static int prepare_kernel(struct context *context, struct node *node)
{
    (void)context;
    (void)node;
    return OK;
}

static int invoke(struct context *context, struct node *node)
{
    /* user_data follows inputs, outputs, intermediates and temporaries. */
    const struct kernel *kernel = ((void **)node)[4];
    for (int i = 0; i < kernel->count; i++) {
        const struct tensor *a = &context->tensors[kernel->adds[i].a], *b = &context->tensors[kernel->adds[i].b];
        struct tensor *out = &context->tensors[kernel->adds[i].out];
        for (size_t j = 0; j < out->bytes / sizeof(float); j++)
            out->data[j] = kernel->wrong ? a->data[j] - 3 * b->data[j] : a->data[j] + b->data[j];
    }
    return OK;
}

static int prepare(struct context *context, struct delegate *delegate)
{
    const struct options *options = delegate->data;
    struct ints *plan, *mine;
    if (options->fails) {
        context->report(context, "the test delegate was told to fail");
        return ERROR;
    }
    if (context->plan(context, &plan) != OK)
        return ERROR;
    mine = calloc(1, sizeof *mine + plan->size * sizeof(int));
    for (int i = 0; i < plan->size && !options->nothing; i++) {
        struct node *node;
        struct registration *operator;
        if (context->get_node(context, plan->data[i], &node, &operator) != OK)
            return ERROR;
        if (takes(context, node, operator))
            mine->data[mine->size++] = plan->data[i];
    }
    const struct registration kernel = { .init = init,
                                         .free = release,
                                         .prepare = prepare_kernel,
                                         .invoke = invoke,
                                         .builtin_code = 51,
                                         .name = "TestDelegate",
                                         .version = 1 };
    int status = mine->size ? context->replace(context, kernel, mine, delegate) : OK;
    free(mine);
    return status;
}

struct delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count, void (*report)(const char *))
{
    struct options *options = calloc(1, sizeof *options);
    for (size_t i = 0; i < count; i++) {
        if (!strcmp(keys[i], "take"))
            options->nothing = !strcmp(values[i], "nothing");
        else if (!strcmp(keys[i], "wrong"))
            options->wrong = !strcmp(values[i], "true");
        else if (!strcmp(keys[i], "fail") && !strcmp(values[i], "prepare"))
            options->fails = 1;
        else {
            report("no device is there");
            free(options);
            return NULL;
        }
    }
    struct delegate *delegate = calloc(1, sizeof *delegate);
    delegate->data = options, delegate->prepare = prepare, delegate->flags = 0;
    return delegate;
}

void tflite_plugin_destroy_delegate(struct delegate *delegate)
{
    free(delegate->data);
    free(delegate);
}
