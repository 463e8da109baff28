/* wordpiece.h - the WordPiece model: a word is cut from the left into the longest tokens
 * there are, or is unknown as a whole.
 *
 * One trie holds all tokens; those that continue a word are found in it from the node
 * behind their prefix ("##").
 * Order: as in the text.
 * Memory: the trie, 8 bytes a node.
 * Threads: read-only once it is filled. */
#ifndef TSL_WORDPIECE_H
#define TSL_WORDPIECE_H

#include "base/err.h"
#include "base/quote.h"
#include "base/slice.h"
#include "text/tokens.h"
#include "text/trie.h"
#include "text/vocab.h"

struct tsl_wordpiece {
    struct tsl_trie trie; /* its values are ids */
    uint64_t first, rest; /* states to begin with: at a word's first byte, further on */
    int64_t unk;          /* TSL_VOCAB_NONE: the vocabulary does not have it */
    size_t chars_max;     /* a longer word is unknown */
    struct tsl_quoted unk_name;
};

/* v may go afterwards.  A vocabulary without the token unk is good until a word needs it,
 * as it is for HF.  Tokens that are not UTF-8 are left out: no text has them. */
int tsl_wordpiece_init(struct tsl_wordpiece *w, const struct tsl_vocab *v,
                       struct tsl_slice unk, struct tsl_slice prefix, size_t chars_max,
                       struct tsl_err *err);
void tsl_wordpiece_fini(struct tsl_wordpiece *w);

/* The bytes of the longest token from state on that [p, end) begins with, and its id;
 * 0: none. */
static inline size_t tsl_wordpiece_longest(const struct tsl_wordpiece *w, uint64_t state,
                                           const uint8_t *p, const uint8_t *end,
                                           uint32_t *id)
{
    size_t longest = 0;
    for (const uint8_t *at = p; at < end && tsl_trie_step(&w->trie, &state, *at);) {
        int64_t value = tsl_trie_value(&w->trie, state);
        at++;
        if (value >= 0) {
            longest = (size_t)(at - p);
            *id = (uint32_t)value;
        }
    }
    return longest;
}

/* Adds the tokens of a word (UTF-8), spans relative to it: none for an empty one.
 * TSL_EFORMAT where it is unknown and the vocabulary does not have the token for that.
 * Takes time for the word's length times the longest token's, no more.
 * Source: BERT (Devlin 2018), tokenization.py; HF tokenizers 0.23.2, WordPiece. */
int tsl_wordpiece_encode(const struct tsl_wordpiece *w, struct tsl_slice word,
                         struct tsl_tokens *out, struct tsl_err *err);

#endif
