/* cmask_vocab.h - what cmask wants to know of a vocabulary: special ids, and which ids continue
 * a word.
 *
 * Memory: two bits an id.  Threads: main's only. */
#ifndef TSL_CMASK_VOCAB_H
#define TSL_CMASK_VOCAB_H

#include "prep/sample.h"

struct cmask_vocab {
    struct tsl_special_ids specials; /* reserved: [unused...] and the specials */
    uint8_t *continues, *reserved;   /* a bit an id */
};

/* albert: what continues a word is what the script of ALBERT takes for that. */
int cmask_vocab_open(struct cmask_vocab *v, const char *path, bool albert,
                     struct tsl_err *err);
void cmask_vocab_close(struct cmask_vocab *v);

#endif
