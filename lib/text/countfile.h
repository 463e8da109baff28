/* countfile.h - counted words in a file: what `ctok count` writes and training can begin
 * with.
 *
 * Counts of parts of a corpus can be made apart and added: reading several files puts
 * their words into one wordcount.h.
 * Order: words in byte order, each once.  The bytes depend on words and header alone.
 * Memory: a block of at most 128 KiB and a word.
 * Threads: one owner.
 *
 * Layout, all little-endian, the whole compressed or not:
 *   header   "TSLWRD1\n", u32 length of the JSON text, the text padded with blanks so that
 *            8 + 4 + length is a multiple of 8: {"cut","made_by"}; u64 XXH3-64 of all
 *            before
 *   block    u32 0x4b4c4257 "WBLK", u32 payload bytes, u32 words in it, u32 0; u64 XXH3-64
 *            of these 16 bytes and the payload, seeded with the block's number; payload:
 *            the words, each as u bytes shared with the word before (none for the block's
 *            first), u bytes of its own, these bytes, u count; u is LEB128 without leading
 *            zeros
 *   trailer  u32 0x444e4557 "WEND", u32 0, u64 blocks, u64 words, u64 the sum of counts;
 *            u64 XXH3-64 of the trailer so far
 * A file that ends without its trailer was cut short, and reading it is an error. */
#ifndef TSL_COUNTFILE_H
#define TSL_COUNTFILE_H

#include "io/sink.h"
#include "text/wordcount.h"

struct tsl_countfile_head {
    char cut[240];    /* tsl_wordcut.describe: only counts of the same cut may be added */
    char made_by[64]; /* for people; may be empty */
};

struct tsl_countfile_stats {
    uint64_t words, total; /* different words, the sum of their counts */
};

/* All words of wc (finished, nothing taken yet) of at least min_count into a file: whole or
 * not at all.  path NULL: standard output.  st may be NULL. */
int tsl_countfile_write(const char *path, const struct tsl_sink_opts *so,
                        const struct tsl_countfile_head *head, struct tsl_wordcount *wc,
                        uint64_t min_count, struct tsl_countfile_stats *st,
                        struct tsl_err *err);

/* Puts a file's words into wc's adder; path "-": standard input.  cut: what the file must
 * have been made by, else TSL_EUSAGE that names both; NULL: anything.  head, st: may be
 * NULL.  TSL_EFORMAT for a file that is damaged, cut short, or none. */
int tsl_countfile_add(const char *path, const char *cut, struct tsl_wordcount *wc,
                      unsigned adder, struct tsl_countfile_head *head,
                      struct tsl_countfile_stats *st, struct tsl_err *err);

#endif
