/* tokfile_gpt2.h - GPT-2's pair of files: vocab.json, from token to id, and merges.txt,
 * the rules of byte pair encoding by rank.
 *
 * Tokens are kept as the file spells them, in the alphabet of bytealpha.h.
 * Order: merges by rank.
 * Memory: the tokens, copied into the vocabulary; the file is the caller's.
 * Threads: pure. */
#ifndef TSL_TOKFILE_GPT2_H
#define TSL_TOKFILE_GPT2_H

#include "base/err.h"
#include "base/jsonread.h"
#include "base/slice.h"
#include "text/tokfile.h"
#include "text/vocab.h"

/* One JSON object, token to id.  TSL_EFORMAT for all else, for an id that is not whole or
 * out of range, for an id given twice, and for no token at all.  *v is the caller's to
 * destroy. */
int tsl_tokfile_gpt2_vocab(struct tsl_vocab **v, struct tsl_slice text, const char *name,
                           struct tsl_err *err);

/* The same of an object that has been parsed: model.vocab of a tokenizer.json, too. */
int tsl_tokfile_gpt2_object(struct tsl_vocab **v, const struct tsl_jsonval *object,
                            const char *name, struct tsl_err *err);

/* The same of an object's text that tsl_jsonl_find has taken, without a tree of values, which
 * takes ten times as long: 1; 0 and no *v where there is more in it than tokens, each once,
 * and good ids, which tsl_tokfile_gpt2_object tells of. */
int tsl_tokfile_gpt2_flat(struct tsl_vocab **v, struct tsl_slice object,
                          struct tsl_err *err);

/* Lines "A B", one blank; those that begin with #version are skipped, anywhere.
 * TSL_EFORMAT, with the line, for any other line (an empty one, too) and for parts or
 * results that v does not have. */
int tsl_tokfile_gpt2_merges(struct tsl_tokfile_merges *m, const struct tsl_vocab *v,
                            struct tsl_slice text, const char *name, struct tsl_err *err);

/* The tokens of spelled as the bytes they stand for, with the same ids; tokens with a
 * character outside of the alphabet are left out (no text gives them).  NULL and err where
 * memory is short. */
struct tsl_vocab *tsl_tokfile_gpt2_bytes(const struct tsl_vocab *spelled,
                                         struct tsl_err *err);

/* The files of a vocabulary, added to f.  TSL_EUSAGE for tokens that are not UTF-8 and for
 * merges of tokens with a blank or newline in them.  comment: what stands behind "#version:
 * 0.2" in the first line of merges.txt; may be empty. */
int tsl_tokfile_gpt2_write_vocab(struct tsl_tokfile_out *f,
                                 const struct tsl_tokfile_def *def, struct tsl_err *err);
int tsl_tokfile_gpt2_write_merges(struct tsl_tokfile_out *f,
                                  const struct tsl_tokfile_def *def, const char *comment,
                                  struct tsl_err *err);

/* Their parts, for tokenizer.json, too: an object from token to id, and "A B" for a
 * merge. */
struct tsl_json;
int tsl_tokfile_gpt2_put_vocab(struct tsl_json *j, const char *key,
                               const struct tsl_tokfile_def *def, struct tsl_err *err);
int tsl_tokfile_gpt2_put_merge(struct tsl_tokfile_out *f,
                               const struct tsl_tokfile_def *def, size_t rank,
                               struct tsl_err *err);

#endif
