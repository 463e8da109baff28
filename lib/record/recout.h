/* recout.h - one file of a shard on its way out: a sink that knows its bytes and their XXH3,
 * so that every format tells the manifest the same of its files.
 *
 * Memory: as sink.h, and 4 KiB; the largest piece that room was asked for.  Threads: one owner. */
#ifndef TSL_RECOUT_H
#define TSL_RECOUT_H

#include "io/sink.h"
#include "record/record.h"

struct tsl_hasher64;

/* Files of a shard: of .npy two a column. */
enum { TSL_RECOUT_FILES_MAX = 2 * TSL_COLUMNS_MAX };

/* All zero: closed. */
struct tsl_recout {
    struct tsl_sink sink;
    struct tsl_hasher64 *hash; /* in pages: its state wants 64-byte alignment */
    struct tsl_recfile file;   /* filled by done */
    bool open;
    bool patched;     /* bytes were changed: the hash is taken again at the end */
    uint8_t *scratch; /* what room gave where the sink has none */
    size_t scratch_cap;
    bool scratched;
    bool lent; /* the file does not hash: the owner of the bytes did */
};

/* The file whose name is stem and then suffix; stem NULL: standard output.  codec, level: of
 * the file as a whole; level 0: the usual one.  help: who writes and packs beside the caller; o
 * stays where it is.  0, or an error and o closed. */
int tsl_recout_open(struct tsl_recout *o, const char *stem, const char *suffix,
                    enum tsl_codec codec, int level, const struct tsl_rechelp *help,
                    struct tsl_err *err);
int tsl_recout_write(struct tsl_recout *o, const void *p, size_t n, struct tsl_err *err);
/* As write, of bytes that stay as they are until done or close, and are hashed at once, while the
 * caller's cache has them; of a file that is not compressed as a whole and of which all bytes
 * are written so. */
int tsl_recout_lend(struct tsl_recout *o, const void *p, size_t n, struct tsl_err *err);
/* *to: where the next n bytes go; took says how many of them were filled. */
int tsl_recout_room(struct tsl_recout *o, size_t n, uint8_t **to, struct tsl_err *err);
int tsl_recout_took(struct tsl_recout *o, size_t n, struct tsl_err *err);
/* n bytes that were written, from byte at on, become others; of an uncompressed file.
 * TSL_EUSAGE for a pipe. */
int tsl_recout_patch(struct tsl_recout *o, uint64_t at, const void *p, size_t n,
                     struct tsl_err *err);
/* Plain bytes so far. */
static inline uint64_t tsl_recout_bytes(const struct tsl_recout *o)
{
    return o->sink.bytes;
}
/* Everything was written: syncs.  o->file says then what lies on the disk. */
int tsl_recout_done(struct tsl_recout *o, struct tsl_err *err);
/* Gives the file its name. */
int tsl_recout_commit(struct tsl_recout *o, struct tsl_err *err);
/* The files of one shard get their names in this order, and together: when one cannot, none is
 * new.  files[i] becomes all[i]'s. */
int tsl_recout_commit_all(struct tsl_recout *const *all, size_t n,
                          struct tsl_recfile *files, struct tsl_err *err);
/* Undoes what was not committed; frees o->file, too.  Safe to call again. */
void tsl_recout_close(struct tsl_recout *o);

#endif
