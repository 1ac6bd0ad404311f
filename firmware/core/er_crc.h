/* CRC-32 as in zlib, Ethernet and PNG: reflected, polynomial EDB88320, start and final XOR FFFFFFFF. */
#ifndef ER_CRC_H
#define ER_CRC_H

#include <stdint.h>

/* The checksum of `count` more bytes; `crc` is what the bytes before them gave, 0 if there were none.
 * Define ER_CRC_FAST for a table of 1 KB, about 2.5 times as fast as the one of 64 bytes. */
uint32_t er_crc32(uint32_t crc, const uint8_t *bytes, uint32_t count);

#endif
