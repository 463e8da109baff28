/* maskmeta.h - the recipe that travels with samples: what they were made for and how they are
 * to be masked, as JSON in the header of their records.
 *
 * Memory: the caller's.  Threads: pure functions. */
#ifndef TSL_MASKMETA_H
#define TSL_MASKMETA_H

#include "samples/denoise.h"

struct tsl_maskmeta {
    const char *objective, *made_by, *vocab_id; /* lent; reading: the struct's own text */
    /* How samples were put together: a JSON object of numbers, truths and texts, for people and
     * for whoever wants the same again; nothing is read out of it.  NULL: nobody says.  Lent
     * likewise. */
    const char *making;
    uint64_t seed, epoch;
    uint32_t copies;
    bool masked; /* what denoise says has been done */
    uint32_t tokens_max;
    struct tsl_special_ids special;    /* reserved: the ids of the meta, when read */
    struct tsl_denoise_opts denoise;   /* its specials and seeds are those above */
    uint8_t *reserved;                 /* what special.reserved points to, when read */
    struct tsl_mlm_synonyms *synonyms; /* what denoise.mlm.synonyms is, when read */
    char *text[4];                     /* what the first four are, when read */
};

/* *text: on the heap.  TSL_EUSAGE where synonyms do not fit into a header. */
int tsl_maskmeta_write(const struct tsl_maskmeta *m, char **text, struct tsl_err *err);
/* TSL_EFORMAT where text does not tell how to mask. */
int tsl_maskmeta_read(struct tsl_maskmeta *m, const char *text, const char *name,
                      struct tsl_err *err);
void tsl_maskmeta_fini(struct tsl_maskmeta *m);

#endif
