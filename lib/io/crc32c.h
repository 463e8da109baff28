/* crc32c.h - CRC-32C (Castagnoli), and TFRecord's mask of it.
 *
 * Source: RFC 3720, appendix B.4: reflected polynomial 0x82f63b78, start and end all ones.
 * Memory: a table of 8 KiB, made when it is first needed.
 * Threads: pure functions. */
#ifndef TSL_CRC32C_H
#define TSL_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Of n bytes that follow those of which crc is the checksum; 0 to begin with. */
uint32_t tsl_crc32c(uint32_t crc, const void *p, size_t n);

/* What TFRecord stores, so that a checksum of data with checksums in it keeps its worth. */
static inline uint32_t tsl_crc32c_mask(uint32_t c)
{
    return ((c >> 15) | (c << 17)) + 0xa282ead8;
}
static inline uint32_t tsl_crc32c_masked(const void *p, size_t n)
{
    return tsl_crc32c_mask(tsl_crc32c(0, p, n));
}

/* The same of three pieces at once: the instruction for it has three times the throughput that
 * one checksum after the other leaves it. */
void tsl_crc32c_masked3(uint32_t to[3], const void *const p[3], const size_t n[3]);

/* The same by table, for every machine: the oracle of the fast one. */
uint32_t tsl_crc32c_table(uint32_t crc, const void *p, size_t n);

#endif
