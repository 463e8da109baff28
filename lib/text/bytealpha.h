/* bytealpha.h - GPT-2's alphabet: each of the 256 bytes as one printable character, so
 * that tokens of any bytes can be spelled in JSON.
 *
 * Bytes 0x21-0x7E, 0xA1-0xAC and 0xAE-0xFF are the code points of their value; the other
 * 68, in rising order, are U+0100, U+0101, ... (a blank is U+0120).
 * Source: encoder.py of openai/gpt-2.
 * Order: by byte.
 * Memory: constant tables.
 * Threads: pure. */
#ifndef TSL_BYTEALPHA_H
#define TSL_BYTEALPHA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* The code point that spells byte b. */
uint32_t tsl_bytealpha_char(uint8_t b);

/* The byte that code point cp spells, or -1. */
int tsl_bytealpha_byte(uint32_t cp);

/* Spells bytes; out has room for twice as many.  Returns the length. */
size_t tsl_bytealpha_encode(struct tsl_slice bytes, uint8_t *out);

/* The bytes that s spells; out has room for s.len.  false where a character of s is not
 * of the alphabet. */
bool tsl_bytealpha_decode(struct tsl_slice s, uint8_t *out, size_t *len);

#endif
