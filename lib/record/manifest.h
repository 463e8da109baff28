/* manifest.h - manifest.json: what a set of records consists of, and that it is whole.
 *
 * It is written last, so a folder without one is no set.  What it says depends on inputs,
 * options and seed alone: two runs of one job give the same bytes.
 *   {"teasel": "records 1", "made_by", "format", "records", "first", "schema": [...],
 *    "meta": {...}, "job": {...}, "shards": [{"stem", "first", "records",
 *    "files": [{"name", "bytes", "xxh3"}]}], "index": {"name", "bytes", "xxh3"}}
 * Memory: some 200 bytes a shard.
 * Threads: one owner. */
#ifndef TSL_MANIFEST_H
#define TSL_MANIFEST_H

#include "record/record.h"

struct tsl_shard {
    char *stem;     /* its files' common beginning, below the folder */
    uint64_t first; /* number of its first record; round robin: of the set */
    uint64_t records;
    struct tsl_recfile *files;
    size_t nfiles;
};

/* All zero: empty. */
struct tsl_manifest {
    char *format, *made_by;
    char *job;               /* JSON: inputs, options and seed; NULL: {} */
    struct tsl_rechead head; /* schema, meta, number of the first record */
    uint64_t records;
    bool dealt; /* round robin: record i lies in shard i modulo their number */
    struct tsl_shard *shards;
    size_t nshards, cap;
    struct tsl_recfile index; /* the format's own file; name NULL: none */
};

/* Is this file, of which the first n bytes are p, a manifest of ours? */
bool tsl_manifest_is(const uint8_t *p, size_t n);
/* Reads and checks: numbers add up, names do not lead out of the folder.  src: as
 * tsl_recformat.reader_open has it. */
int tsl_manifest_read(struct tsl_manifest *m, const char *path, struct tsl_source *src,
                      uint64_t memory, struct tsl_err *err);
/* The text; the caller ends and frees j. */
void tsl_manifest_write(const struct tsl_manifest *m, struct tsl_json *j);
/* One shard, as it stands in the array and in a journal: on one line. */
void tsl_manifest_write_shard(const struct tsl_shard *s, const char *key,
                              struct tsl_json *j);
int tsl_manifest_read_shard(struct tsl_shard *s, const struct tsl_jsonval *v,
                            const char *where, struct tsl_err *err);
/* A copy of s and all its files goes into m. */
int tsl_manifest_add(struct tsl_manifest *m, const struct tsl_shard *s,
                     struct tsl_err *err);
void tsl_manifest_fini(struct tsl_manifest *m);
void tsl_shard_fini(struct tsl_shard *s);

#endif
