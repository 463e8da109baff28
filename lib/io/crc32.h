/* crc32.h - the CRC-32 of zip, gzip and PNG: zlib's values, at several times its speed.
 *
 * Source: Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ", Intel
 *   2009, for the polynomial 0x04c11db7, reflected.
 * Memory: none.  Threads: pure functions. */
#ifndef TSL_CRC32_H
#define TSL_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Of n bytes that follow those of which crc is the checksum; 0 to begin with. */
uint32_t tsl_crc32(uint32_t crc, const void *p, size_t n);

#endif
