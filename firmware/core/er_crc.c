#include "er_crc.h"

#ifdef ER_CRC_FAST
#include "er_crc_table.h"

uint32_t er_crc32(uint32_t crc, const uint8_t *bytes, uint32_t count)
{
    crc = ~crc;
    while (count-- != 0) {
        crc = (crc >> 8) ^ er_crc_table[(crc ^ *bytes++) & 0xFFu];
    }
    return ~crc;
}

#else

/* What four bits do to the checksum. */
static const uint32_t nibble[16] = {
    0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu, 0x76DC4190u, 0x6B6B51F4u, 0x4DB26158u, 0x5005713Cu,
    0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu, 0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu,
};

uint32_t er_crc32(uint32_t crc, const uint8_t *bytes, uint32_t count)
{
    crc = ~crc;
    while (count-- != 0) {
        crc ^= *bytes++;
        crc = (crc >> 4) ^ nibble[crc & 0xFu];
        crc = (crc >> 4) ^ nibble[crc & 0xFu];
    }
    return ~crc;
}

#endif
