/* hfpipe.h - Hugging Face's tokenizer as its parts: added tokens, normalizer, added tokens
 * again, pre-tokenizer, model; and what goes around the tokens and back to text.
 *
 * The engine here runs the parts one after the other as the peer does.  It is exact for
 * every file that is read, and slow; the fast engines (bertenc.h, bytebpe.h) stand in for
 * it where the parts are those that they know, and are tested against it.
 * Source: huggingface/tokenizers 0.23, tokenizer/mod.rs and pre_tokenizer.rs.
 * Order: as in the text.
 * Memory: a coder: some 40 bytes for each byte of the longest row, or of what lies between
 *   two places where a row may be cut (hfcut.h).
 * Threads: a pipe is read-only once it is built; a coder has one owner. */
#ifndef TSL_HFPIPE_H
#define TSL_HFPIPE_H

#include "text/addedtok.h"
#include "text/bpe.h"
#include "text/detok.h"
#include "text/engine.h"
#include "text/normalizer.h"
#include "text/postproc.h"
#include "text/pretok.h"
#include "text/splitpat.h"
#include "text/tokfile.h"
#include "text/unigram.h"
#include "text/vocab.h"
#include "text/wordlevel.h"
#include "text/wordpiece.h"

enum tsl_hfpipe_model {
    TSL_HFPIPE_NONE,
    TSL_HFPIPE_WORDPIECE,
    TSL_HFPIPE_WORDLEVEL,
    TSL_HFPIPE_BPE,
    TSL_HFPIPE_UNIGRAM
};

/* What a fast engine must know of the parts, noted while they are built. */
enum tsl_hfpipe_norm {
    TSL_HFPIPE_NORM_NONE,
    TSL_HFPIPE_NORM_BERT,
    TSL_HFPIPE_NORM_NFC,
    TSL_HFPIPE_NORM_OTHER
};

enum tsl_hfpipe_split {
    TSL_HFPIPE_SPLIT_NONE,
    TSL_HFPIPE_SPLIT_BERT,
    TSL_HFPIPE_SPLIT_BYTE_LEVEL, /* bytes, cut by pattern */
    TSL_HFPIPE_SPLIT_OTHER
};

struct tsl_hfpipe {
    enum tsl_hfpipe_model model;
    struct tsl_vocab *vocab;        /* the model's, as the file spells it */
    size_t vocab_count;             /* different tokens in it: added ids begin here */
    struct tsl_wordpiece wordpiece; /* and bpe: empty until tsl_hfpipe_finish */
    struct tsl_wordlevel wordlevel;
    struct tsl_bpe *bpe;
    struct tsl_unigram unigram;
    struct tsl_tokfile_merges merges;              /* bpe */
    struct tsl_bpe_opts bpe_opts;                  /* slices as below */
    uint8_t *unk_text, *prefix_text, *suffix_text; /* copies; NULL: null in the file */
    struct tsl_slice unk, prefix, suffix;
    size_t chars_max; /* wordpiece */

    struct tsl_normalizer *normalizer; /* NULL: none */
    struct tsl_pretok *pretok;         /* NULL: none */
    struct tsl_addedtok *added;
    struct tsl_postproc postproc;
    struct tsl_detok *detok;
    struct tsl_truncation truncation;
    struct tsl_padding padding;
    bool has_truncation, has_padding;

    enum tsl_hfpipe_norm norm_kind;
    bool bert_clean, bert_chinese, bert_strip, bert_lower; /* TSL_HFPIPE_NORM_BERT */
    enum tsl_hfpipe_split split_kind;
    enum tsl_splitpat pattern; /* TSL_HFPIPE_SPLIT_BYTE_LEVEL; UNKNOWN: not cut */
    bool prefix_space;
    bool metaspace; /* the pre-tokenizer has a Metaspace, or a normalizer writes U+2581 */
    bool one_piece; /* text between added tokens is not cut before the model */

    bool cuts; /* by finish: long rows may be cut (hfcut.h) */
    size_t cut_behind;

    bool plain_specials; /* special tokens in the text are ordinary text */
};

/* No parts at all, but a decoder that joins tokens with blanks, no post-processor and no
 * added tokens. */
struct tsl_hfpipe *tsl_hfpipe_create(struct tsl_err *err);
void tsl_hfpipe_destroy(struct tsl_hfpipe *p);

/* After all added tokens: builds their matchers. */
int tsl_hfpipe_build(struct tsl_hfpipe *p, struct tsl_err *err);

/* Makes the model's tables of WordPiece and BPE, before the first coder: the engine here
 * needs them, a fast one in its place has its own. */
int tsl_hfpipe_finish(struct tsl_hfpipe *p, struct tsl_err *err);

/* The token's text: an added token's content (normalised, where the token is looked for in
 * normalised text: so the peer decodes since 0.23), else as the model's vocabulary has it;
 * data NULL: no token has this id. */
struct tsl_slice tsl_hfpipe_token(const struct tsl_hfpipe *p, uint32_t id);

/* All ids are below this. */
uint32_t tsl_hfpipe_size(const struct tsl_hfpipe *p);

/* The engine's model is a finished struct tsl_hfpipe, which model_destroy destroys.  A row
 * that comes in stretches is cut where hfcut.h finds that its parts allow it, else taken
 * when it is there as a whole: *used is 0 until then. */
extern const struct tsl_engine tsl_hfpipe_engine;

#endif
