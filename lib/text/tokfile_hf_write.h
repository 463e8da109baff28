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
#include "text/tokfile_spm.h"

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

/* SentencePiece's BPE or Unigram, of n pieces by id; o's unk_id is one of them, and
 * whitespace_suffix off: there are no parts for it.  Hugging Face's library gives
 * SentencePiece's ids but where special tokens stand in a text, which it finds, where its
 * Precompiled takes a whole grapheme cluster for one character, and where two ways to cut a
 * word are as good (it adds in doubles).
 * whitespace_only: a piece may be several U+2581. */
int tsl_tokfile_hf_write_spm(struct tsl_tokfile_out *f,
                             const struct tsl_spm_piece *pieces, size_t n,
                             const struct tsl_spm_options *o, bool whitespace_only,
                             struct tsl_err *err);

#endif
