/* tokfile_hf.h - Hugging Face's tokenizer.json.
 *
 * Every part of the file is built or refused by name; nothing is passed over but keys that
 * the peer does not know either.
 * Source: huggingface/tokenizers 0.23: tokenizer/serialization.rs and each part's serde.
 * Order: ids as the file has them; added tokens as listed.
 * Memory: the parsed JSON, some ten times the file without its vocabulary, while it is
 * read.
 * Threads: pure. */
#ifndef TSL_TOKFILE_HF_H
#define TSL_TOKFILE_HF_H

#include "base/err.h"
#include "base/jsonread.h"
#include "base/slice.h"
#include "text/hfpipe.h"

/* What reads may note: one line each, '\n' between them; "" where all is well. */
struct tsl_tokfile_hf_notes {
    char text[1000];
};

/* text is the whole file; name stands in messages.  *p is the caller's to destroy, and
 * built and finished; plain_specials as in hfpipe.h.  TSL_EFORMAT says which part is wrong. */
int tsl_tokfile_hf_parse(struct tsl_hfpipe **p, struct tsl_slice text, const char *name,
                         struct tsl_tokfile_hf_notes *notes, struct tsl_err *err);

/* A file's values; but a model's vocabulary from token to id, if it is plain, is read by
 * itself, and an empty object stands for it in doc. */
struct tsl_tokfile_hf_doc {
    struct tsl_jsonread *doc;
    struct tsl_vocab *vocab; /* NULL: doc has it */
};
int tsl_tokfile_hf_open(struct tsl_tokfile_hf_doc *d, struct tsl_slice text,
                        const char *name, struct tsl_err *err);
void tsl_tokfile_hf_close(struct tsl_tokfile_hf_doc *d);

/* tsl_tokfile_hf_parse of a file that is open; not finished.  Takes d->vocab away. */
int tsl_tokfile_hf_take(struct tsl_hfpipe **p, struct tsl_tokfile_hf_doc *d,
                        const char *name, struct tsl_tokfile_hf_notes *notes,
                        struct tsl_err *err);

/* Single parts, as the file has them; null is none.  Each takes the place of what p has. */
int tsl_tokfile_hf_normalizer(struct tsl_hfpipe *p, const struct tsl_jsonval *v,
                              const char *name, struct tsl_err *err);
int tsl_tokfile_hf_pretok(struct tsl_hfpipe *p, const struct tsl_jsonval *v,
                          const char *name, struct tsl_err *err);
int tsl_tokfile_hf_postproc(struct tsl_hfpipe *p, const struct tsl_jsonval *v,
                            const char *name, struct tsl_err *err);
int tsl_tokfile_hf_decoder(struct tsl_hfpipe *p, const struct tsl_jsonval *v,
                           const char *name, struct tsl_err *err);
int tsl_tokfile_hf_truncation(struct tsl_hfpipe *p, const struct tsl_jsonval *v,
                              const char *name, struct tsl_err *err);
int tsl_tokfile_hf_padding(struct tsl_hfpipe *p, const struct tsl_jsonval *v,
                           const char *name, struct tsl_err *err);
/* An array; tsl_hfpipe_build comes afterwards. */
int tsl_tokfile_hf_added(struct tsl_hfpipe *p, const struct tsl_jsonval *v,
                         const char *name, struct tsl_tokfile_hf_notes *notes,
                         struct tsl_err *err);
int tsl_tokfile_hf_model(struct tsl_hfpipe *p, const struct tsl_jsonval *v,
                         const char *name, struct tsl_err *err);

#endif
