/* checkpoint.h - a training run as it stood after a step: a folder that is there whole or not
 * at all.
 *
 *     RUN/checkpoint-00001000/model.safetensors      weights under their public names
 *                            /config.json            the model, as the caller gives it
 *                            /optimizer.safetensors  the optimizer's numbers
 *                            /state.json             step, place in the data, seed, fingerprints,
 *                                                    and XXH3-64 of the other three
 *
 * A new one is written beside, as checkpoint-00001000.tmp, synced, and renamed; so whenever the
 * process or the machine stops, what was whole before is whole.  One that replaces another of its
 * step moves that away to .old for the moment between two renames: where only .old is there, it is
 * found as the checkpoint.  What is removed is first renamed to .gone.
 * Order: the same state and arrays give the same bytes.
 * Memory: names and headers.
 * Threads: one caller; one process a run. */
#ifndef TSL_CHECKPOINT_H
#define TSL_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "train/safetensors.h"

#define TSL_CKPT_MODEL "model.safetensors"
#define TSL_CKPT_CONFIG "config.json"
#define TSL_CKPT_OPTIMIZER "optimizer.safetensors"
#define TSL_CKPT_STATE "state.json"

struct tsl_ckpt_array {
    const char *name;
    enum tsl_safetensors_type type;
    unsigned rank;
    const int64_t *dim; /* rank of them; NULL is fine for rank 0 */
    void *data;         /* saving reads it, loading fills it */
};

/* A set that was trained on. */
struct tsl_ckpt_data {
    const char *name;
    uint64_t hash; /* XXH3-64 of its manifest */
};

struct tsl_ckpt_state {
    uint64_t step;    /* done */
    uint64_t samples; /* the place in the data: taken so far */
    uint64_t tokens;  /* seen so far */
    uint64_t seed;
    uint64_t options; /* fingerprint of what may not change when a run goes on */
    const struct tsl_ckpt_data *data;
    size_t ndata;
    const char *version; /* of the program */
    const char *extra;   /* text of the caller's, UTF-8; NULL: "" */
};

struct tsl_ckpt_content {
    struct tsl_ckpt_state state;
    const char *config; /* the text of config.json */
    const struct tsl_ckpt_array *model, *optimizer;
    size_t nmodel, noptimizer;
};

/* ---- saving ---- */

/* Writes RUN/checkpoint-STEP; the folder run is there.  An older one of that step is replaced.
 * 0, or TSL_EIO, TSL_ENOMEM, TSL_EUSAGE (names and shapes: safetensors.h), and then nothing that
 * was there has changed. */
int tsl_ckpt_save(const char *run, const struct tsl_ckpt_content *c, struct tsl_err *err);

/* Removes all checkpoints before step but for the keep_last - 1 newest of them and, where
 * keep_every is not 0, those of its multiples; that of step and later ones stay.  keep_last 0:
 * all stay.  Also removes what interrupted runs left (.tmp, .gone).  TSL_EIO, TSL_ENOMEM. */
int tsl_ckpt_prune(const char *run, uint64_t step, uint64_t keep_last,
                   uint64_t keep_every, struct tsl_err *err);

/* Removes the checkpoints of step and later ones: a run that goes on from before makes them anew. */
int tsl_ckpt_drop_from(const char *run, uint64_t step, struct tsl_err *err);

/* ---- loading ---- */

struct tsl_ckpt_own;

struct tsl_ckpt {
    char *path;
    struct tsl_ckpt_state state; /* lent until close */
    /* Newer ones that cannot be used, and why, as one sentence; empty: there are none. */
    char damaged[500];
    struct tsl_ckpt_own *own;
};

/* Reads the checkpoint in folder path and compares all its files with their checksums.
 * TSL_EVERIFY for a file that is not what it was, TSL_EFORMAT, TSL_EIO, TSL_ENOMEM; the message
 * says which. */
int tsl_ckpt_open(struct tsl_ckpt *k, const char *path, struct tsl_err *err);

/* The newest whole one of a run: 1; 0 where there is none at all, or no such folder; an error, the
 * newest one's, where none is whole. */
int tsl_ckpt_find(struct tsl_ckpt *k, const char *run, struct tsl_err *err);

/* All zero is closed; safe to call again. */
void tsl_ckpt_close(struct tsl_ckpt *k);

/* The text of config.json, for tsl_mem_free; NULL and err set on failure. */
char *tsl_ckpt_config(const struct tsl_ckpt *k, struct tsl_err *err);

/* Fills the arrays from a checkpoint's file (TSL_CKPT_MODEL, TSL_CKPT_OPTIMIZER), which has these
 * tensors and no others, in any order. */
int tsl_ckpt_load(const struct tsl_ckpt *k, const char *file,
                  const struct tsl_ckpt_array *arrays, size_t n, struct tsl_err *err);

/* The same from any safetensors file; more: others may be there.  Arrays of F32 take F64, F16 and
 * BF16, too; all else is of the same type.  TSL_EFORMAT names the tensors that are missing, too
 * many or of another shape or type, and then no array is touched; TSL_EIO, TSL_ENOMEM. */
int tsl_ckpt_load_file(const char *path, const struct tsl_ckpt_array *arrays, size_t n,
                       bool more, struct tsl_err *err);

#endif
