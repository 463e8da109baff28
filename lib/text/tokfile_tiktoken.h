/* tokfile_tiktoken.h - OpenAI's .tiktoken files: lines of a token's bytes in base64, a
 * blank, and its rank, which is its id.
 *
 * The files hold neither split pattern nor special tokens: both belong to the encoding,
 * known by name or by how many ranks there are.
 * Source: openai/tiktoken, tiktoken_ext/openai_public.py and load.py.
 * Order: ids are ranks.
 * Memory: the tokens, copied into the vocabulary; the file is the caller's.
 * Threads: pure. */
#ifndef TSL_TOKFILE_TIKTOKEN_H
#define TSL_TOKFILE_TIKTOKEN_H

#include "base/err.h"
#include "base/slice.h"
#include "text/splitpat.h"
#include "text/tokfile.h"
#include "text/vocab.h"

struct tsl_tokfile_special {
    const char *text;
    uint32_t id;
};

struct tsl_tokfile_tiktoken {
    struct tsl_vocab *vocab; /* bytes; without the special tokens; owned by the caller */
    const char *encoding;    /* "cl100k" */
    enum tsl_splitpat pattern;
    const struct tsl_tokfile_special *specials; /* constant */
    size_t nspecials;
};

/* encoding: r50k (or gpt2), p50k, cl100k, o200k; NULL: by the number of ranks.  The
 * special tokens are the encoding's only where the file has as many ranks as it.
 * TSL_EFORMAT with the line for what is not as above, for a rank given twice and for a
 * byte that is no token; TSL_EUSAGE for an encoding that is not known, or not told and not
 * found by the number of ranks. */
int tsl_tokfile_tiktoken_parse(struct tsl_tokfile_tiktoken *t, struct tsl_slice text,
                               const char *name, const char *encoding,
                               struct tsl_err *err);

/* The rules of byte pair encoding that the ranks stand for, by rank: each token of two and
 * more bytes is made of two that come before it.  v has tokens as bytes.  TSL_EFORMAT where
 * one is not. */
int tsl_tokfile_tiktoken_merges(struct tsl_tokfile_merges *m, const struct tsl_vocab *v,
                                const char *name, struct tsl_err *err);

/* Whether text looks like such a file: its first line does. */
bool tsl_tokfile_tiktoken_is(struct tsl_slice text);

#endif
