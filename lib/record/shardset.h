/* shardset.h - records into the shards of a set: all of it, or nothing that looks like one.
 *
 * Order: as put.  Contiguous shards are runs of the input; round robin puts record i into
 *   shard i modulo their number.  No shard is empty.  Bytes depend on records and options
 *   alone.
 * After a crash: each shard has its name only when it is whole and on the disk, then a line in
 *   manifest.journal says so; manifest.json is written last, and the journal goes.  So a job
 *   that was killed leaves whole shards, a journal, and no set; resumed, it goes on behind the
 *   last whole shard and ends with the same bytes.  After an error nothing is finished.
 * Memory: of one writer, round robin of one for each shard.
 * Threads: one owner. */
#ifndef TSL_SHARDSET_H
#define TSL_SHARDSET_H

#include "record/manifest.h"

struct tsl_shardset_opts {
    const char *dir; /* made if it is not there (its parent is) */
    const char
        *name; /* of a shard, "%d" for its number (%05d: with zeros); NULL: the usual */
    uint64_t shards; /* so many; contiguous, the number of records must be known */
    uint64_t shard_rows, shard_bytes; /* at most; at most one of the three is not 0 */
    uint64_t records;                 /* how many will come; UINT64_MAX: unknown */
    bool round_robin;                 /* with shards */
    bool resume, force;
    const char *made_by;
    const char *job; /* JSON object: inputs, options, seed; what resume must find again */
    struct tsl_recwriter_opts writer;
};

struct tsl_shardset;

/* Looks at the folder, and locks it by its journal.  TSL_EUSAGE where there is a set already,
 * or an unfinished one, and neither resume nor force is given; or what was begun was another
 * job. */
int tsl_shardset_create(struct tsl_shardset **s, const struct tsl_rechead *head,
                        const struct tsl_shardset_opts *o, struct tsl_err *err);
/* Records that whole shards of an earlier run hold already: put goes on behind them. */
uint64_t tsl_shardset_resumed(const struct tsl_shardset *s);
int tsl_shardset_put(struct tsl_shardset *s, const struct tsl_record *rec,
                     struct tsl_err *err);
/* The same of many at once. */
int tsl_shardset_put_rows(struct tsl_shardset *s, const struct tsl_recrows *rows,
                          struct tsl_err *err);
/* All records came: the last shard, the format's index, the manifest. */
int tsl_shardset_finish(struct tsl_shardset *s, struct tsl_err *err);
/* What was written; good after finish, until destroy. */
const struct tsl_manifest *tsl_shardset_manifest(const struct tsl_shardset *s);
/* Undoes the shard that was not finished; whole ones stay for resume. */
void tsl_shardset_destroy(struct tsl_shardset *s);

#endif
