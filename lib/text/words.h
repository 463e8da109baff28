/* words.h - a user's list of words: which tokens belong to one word where the tokenizer
 * takes every character for one, as it does with Chinese.
 *
 * Each word of the list is encoded once, and found again by its ids; so it is found however
 * the text spells it, as far as the tokenizer sees no difference.  Within a word that is
 * found only its first token stays the start of a word: whole-word masking then masks the
 * word, not the character.  The ids do not change.
 *
 * Without counts the longest word that begins at a token is taken, from left to right: what
 * run_chinese_ref.py of Hugging Face's transformers does with the words of a segmenter.
 * With counts, the most probable path through the text, a token that is in no word counting
 * as a word met once, and of two equal paths the one with the longer first word: the rule of
 * jieba's dictionary part (calc in jieba/__init__.py).  Logarithms are whole numbers here,
 * in units of 2^-24, so that no machine decides otherwise.
 *
 * Order: as the tokens stand.
 * Memory: 16 bytes and the trie's nodes a word; mark: 24 bytes for each token of the longest
 * stretch in which words overlap.
 * Threads: read-only once it is there; a marker has one owner. */
#ifndef TSL_WORDS_H
#define TSL_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "text/engine.h"

struct tsl_words;

/* text is the whole file, UTF-8: one word a line, perhaps a TAB and a count behind it; either
 * every word has one or none has.  Empty lines are passed over, as are words that come to
 * nothing or hold an unknown token.  name stands in messages.  e and coder are used for the
 * call. */
int tsl_words_parse(struct tsl_words **w, struct tsl_slice text, const char *name,
                    const struct tsl_engine *e, void *coder, struct tsl_err *err);
void tsl_words_destroy(struct tsl_words *w);

/* Words that can be found. */
size_t tsl_words_count(const struct tsl_words *w);

/* Scratch memory of mark. */
struct tsl_words_scratch {
    uint64_t *cost;
    uint32_t *next;
    size_t cost_cap, next_cap;
};
void tsl_words_scratch_fini(struct tsl_words_scratch *s);

/* Clears TSL_TOKEN_WORD_START within the words found from tokens->marks[from] on, where a
 * word starts.  last: no tokens follow.  *done: the tokens before it will not change; the
 * caller goes on from there when it has added more (tokens->n with last). */
int tsl_words_mark(const struct tsl_words *w, struct tsl_words_scratch *s,
                   struct tsl_tokens *tokens, size_t from, bool last, size_t *done,
                   struct tsl_err *err);

#endif
