/* tokfile_hf_write.h - Hugging Face's tokenizer.json of a vocabulary of our own: parts that
 * both their library and our fast engines know.
 *
 * Source: huggingface/tokenizers 0.23, tokenizer/serialization.rs, and the files of
 * bert-base-uncased, gpt2 and Llama 3.  Merges are strings "A B", which versions before
 * 0.20 read, too.
 * Order: ids as the definition has them.
 * Memory: the file, as it is made.
 * Threads: pure. */
#ifndef TSL_TOKFILE_HF_WRITE_H
#define TSL_TOKFILE_HF_WRITE_H

#include "base/err.h"
#include "text/bertnorm.h"
#include "text/splitpat.h"
#include "text/tokfile.h"

/* BERT's: WordPiece with "##", [UNK] for words that cannot be spelled (which def has to
 * hold, else TSL_EUSAGE), and, if they are special tokens, [CLS] and [SEP] around texts.  Of
 * norm, the rules are Hugging Face's. */
int tsl_tokfile_hf_write_wordpiece(struct tsl_tokfile_out *f,
                                   const struct tsl_tokfile_def *def,
                                   const struct tsl_bertnorm *norm, struct tsl_err *err);

/* Byte-level BPE, in GPT-2's letters, texts cut by pattern (UNKNOWN: not at all).
 * prefix_space: a blank in front of a text that does not begin with one. */
int tsl_tokfile_hf_write_bytebpe(struct tsl_tokfile_out *f,
                                 const struct tsl_tokfile_def *def,
                                 enum tsl_splitpat pattern, bool prefix_space,
                                 struct tsl_err *err);

#endif
