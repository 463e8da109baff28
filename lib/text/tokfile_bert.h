/* tokfile_bert.h - vocab.txt: one token a line, its id is the line's number from 0.
 *
 * White space goes as the reader of each set of rules has it: Hugging Face cuts it at the
 * end of the line, Google's script at both ends, bert4keras keeps the first field.  A
 * token given twice has the later id.  Bytes behind the last newline are a token, an empty
 * last line is none, an empty line in the middle is the empty token.
 * Order: ids as the lines stand.
 * Memory: the tokens, copied into the vocabulary; the file is the caller's.
 * Threads: pure. */
#ifndef TSL_TOKFILE_BERT_H
#define TSL_TOKFILE_BERT_H

#include "base/err.h"
#include "base/slice.h"
#include "text/tokenizer.h"
#include "text/tokfile.h"
#include "text/vocab.h"

/* text is the whole file; name stands in messages.  TSL_EFORMAT, with the line, where it
 * is not UTF-8; and where it has no token.  *v is the caller's to destroy. */
int tsl_tokfile_bert_parse(struct tsl_vocab **v, struct tsl_slice text, const char *name,
                           enum tsl_rules rules, struct tsl_err *err);

/* The ids of [PAD] [UNK] [CLS] [SEP] [MASK]; -1 for those that are not there. */
struct tsl_special_tokens tsl_tokfile_bert_specials(const struct tsl_vocab *v);

/* Whether any token, those like [this] and <this> aside, would change in lower case: a
 * cased vocabulary.  (The published uncased one has U+211D, an upper-case letter that has
 * no lower case.) */
bool tsl_tokfile_bert_cased(const struct tsl_vocab *v);

/* The file of these tokens, added to f.  TSL_EUSAGE for one that no line can hold: it is
 * empty, has white space at an end or a newline in it, or is not UTF-8. */
int tsl_tokfile_bert_write(struct tsl_tokfile_out *f, const struct tsl_tokfile_def *def,
                           struct tsl_err *err);

#endif
