/* bertenc.h - BERT's tokenizer: normalise, split, WordPiece.
 *
 * Text is scanned in blocks of 64 bytes into words in lower case and, for Chinese and the
 * like, ids straight from a table of code points; then all words are looked up in a cache,
 * and those it does not have are taken apart with a trie.  Text whose marks may change
 * places, and all text when spans are wanted, goes the long way through bertnorm.h, which
 * the fast way is tested against.
 *
 * Sources: BertNormalizer, BertPreTokenizer and WordPiece of Hugging Face's tokenizers 0.23
 * (ids and offsets are theirs); tokenization.py of google-research/bert; bert4keras.  The
 * two phases of look-up are gigatoken's; the block masks are simdjson's (Langdale and
 * Lemire 2019).
 * Order: as in the text.
 * Memory: a model: 300 KiB and 8 bytes a node of the trie; a coder: what create is given.
 * Threads: a model any, a coder one. */
#ifndef TSL_BERTENC_H
#define TSL_BERTENC_H

#include "text/bertnorm.h"
#include "text/engine.h"
#include "text/vocab.h"

/* How much of the CPU may be used; the result is the same. */
enum tsl_bertenc_cpu { TSL_BERTENC_CPU_ALL, TSL_BERTENC_CPU_PLAIN, TSL_BERTENC_CPU_AVX2 };

struct tsl_bertenc_special {
    struct tsl_slice text; /* where this stands in raw text it is one token */
    uint32_t id;
};

struct tsl_bertenc_opts {
    struct tsl_bertnorm norm;
    int64_t unk;        /* TSL_VOCAB_NONE: text that needs it is an error */
    const char *prefix; /* of a token that continues a word; NULL: "##" */
    uint32_t max_chars; /* a longer word is unknown; 0: 100, or 200 by other rules */
    /* Found in raw text, the leftmost and then the longest first.  Lent for create. */
    const struct tsl_bertenc_special *specials;
    size_t nspecials;
    enum tsl_bertenc_cpu cpu;
};

struct tsl_bertenc_model;

/* v is lent for the call.  Tokens that are not UTF-8 are never found in text. */
struct tsl_bertenc_model *tsl_bertenc_model_create(const struct tsl_vocab *v,
                                                   const struct tsl_bertenc_opts *o,
                                                   struct tsl_err *err);
void tsl_bertenc_model_destroy(struct tsl_bertenc_model *m);

/* Model: struct tsl_bertenc_model.  With spans a stretch must be less than 4 GiB and hold a
 * word whole: while it does not, *used is 0.  UNKNOWN marks the tokens with the id unk, a
 * special is marked as the start of a word, too.  Fails with TSL_EFORMAT where unk is
 * needed and there is none, and with TSL_ENOMEM. */
extern const struct tsl_engine tsl_bertenc_engine;

/* bert4keras' load_vocab(simplified=True, startswith=...): the tokens of first, then all
 * others by their ids but those of two and more characters that have a Chinese character or
 * punctuation in them ("##" in front not counted).  *small is a new vocabulary, to be
 * destroyed; (*kept)[i] is the old id of its token i, n = tsl_vocab_size(*small), to be
 * freed with tsl_mem_free.  A token of first that v does not have is TSL_EUSAGE; one that
 * is there twice is kept twice in *kept, as in the peer, and TSL_EUSAGE here. */
int tsl_bertenc_simplify(const struct tsl_vocab *v, const struct tsl_slice *first,
                         size_t nfirst, struct tsl_vocab **small, uint32_t **kept,
                         struct tsl_err *err);

#endif
