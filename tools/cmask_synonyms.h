/* cmask_synonyms.h - a user's table of similar words, as tsl_mlm takes it.
 *
 * A line is a word and, behind tabs, similar ones: texts where there is a vocabulary, else ids
 * with blanks between them.
 * Order: similar words of a word as the line has them.
 * Memory: 4 bytes a token, 8 a word.
 * Threads: main's only. */
#ifndef TSL_CMASK_SYNONYMS_H
#define TSL_CMASK_SYNONYMS_H

#include "prep/mlm.h"

struct cmask_synonyms {
    struct tsl_mlm_synonyms table; /* points to what follows */
    uint32_t *at, *len, *ids;
    size_t nwords, nids, at_cap, len_cap, ids_cap;
    uint64_t left_out; /* similar words of another number of tokens, or unknown ones */
};

/* vocab: of texts; NULL: ids.  TSL_EFORMAT names the line. */
int cmask_synonyms_read(struct cmask_synonyms *s, const char *path, const char *vocab,
                        struct tsl_err *err);
void cmask_synonyms_free(struct cmask_synonyms *s);

#endif
