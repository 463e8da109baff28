#include "text/tokenizer.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/jsonread.h"
#include "base/mem.h"
#include "base/quote.h"
#include "base/slice.h"
#include "base/utf8.h"
#include "text/bertenc.h"
#include "text/bytealpha.h"
#include "text/bytebpe.h"
#include "text/hfpipe.h"
#include "text/spm.h"
#include "text/tokfile.h"
#include "text/tokfile_bert.h"
#include "text/tokfile_gpt2.h"
#include "text/tokfile_hf.h"
#include "text/tokfile_spm.h"
#include "text/tokfile_tiktoken.h"
#include "text/trainfiles.h"

enum { WARNINGS_MAX = 16 };

struct tsl_tokenizer {
    enum tsl_tokenizer_kind kind;
    struct tsl_tokenizer_opts o;
    const struct tsl_engine *engine;
    void *model; /* the engine's; the pipe itself where the engine is its */
    /* Added tokens, template and decoder; of SentencePiece's models only the vocabulary. */
    struct tsl_hfpipe *pipe;
    struct tsl_vocab *bytes; /* the vocabulary of a byte-level engine */
    struct tsl_special_tokens specials;
    char *warnings[WARNINGS_MAX];
    size_t nwarnings;
};

static struct tsl_slice slice(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

static int warn(struct tsl_tokenizer *t, const char *line, struct tsl_err *err)
{
    if (t->nwarnings == WARNINGS_MAX)
        return 0;
    t->warnings[t->nwarnings] = tsl_mem_strdup(line, err);
    return t->warnings[t->nwarnings] ? (void)t->nwarnings++, 0 : TSL_ENOMEM;
}

static int warn_duplicates(struct tsl_tokenizer *t, const char *name, struct tsl_err *err)
{
    size_t n = tsl_vocab_duplicates(t->pipe->vocab);
    char line[400];
    if (!n)
        return 0;
    snprintf(line, sizeof line,
             n == 1
                 ? "%.300s: %zu token stands there more than once: its last id counts"
                 : "%.300s: %zu tokens stand there more than once: their last id counts",
             name, n);
    return warn(t, line, err);
}

/* ---- engines -------------------------------------------------------------------------- */

/* Whether all added tokens are what the fast engines look for: text in raw text (or,
 * where that is no difference, in normalised text), as it stands. */
static bool plain_added(const struct tsl_hfpipe *p, bool normalized)
{
    for (size_t i = 0; i < tsl_addedtok_count(p->added); i++) {
        const struct tsl_addedtok_def *d = tsl_addedtok_at(p->added, i);
        if (d->single_word || d->lstrip || d->rstrip || (d->normalized && !normalized))
            return false;
        /* NFC may change what is looked for, too: only ASCII is sure to stay */
        for (size_t k = 0; d->normalized && k < d->content.len; k++)
            if (d->content.data[k] >= 0x80)
                return false;
    }
    return true;
}

static bool is_looked_for(const struct tsl_tokenizer *t, const struct tsl_addedtok_def *d)
{
    return !t->o.plain_specials || !d->special;
}

static int use_bert(struct tsl_tokenizer *t, enum tsl_rules rules, struct tsl_err *err)
{
    const struct tsl_hfpipe *p = t->pipe;
    size_t n = rules == TSL_RULES_HF ? tsl_addedtok_count(p->added) : 0;
    struct tsl_bertenc_special *specials =
        tsl_mem_alloc(n + 1, sizeof *specials, "special tokens", err);
    char *prefix = tsl_mem_alloc(p->prefix.len + 1, 1, "a prefix", err);
    struct tsl_bertenc_opts o = { .norm = { .rules = rules,
                                            .clean_text = p->bert_clean,
                                            .handle_chinese_chars = p->bert_chinese,
                                            .strip_accents = p->bert_strip,
                                            .lowercase = p->bert_lower },
                                  .unk = tsl_vocab_find(p->vocab, p->unk),
                                  .prefix = prefix,
                                  .max_chars = (uint32_t)p->chars_max,
                                  .specials = specials };
    if (specials && prefix) {
        memcpy(prefix, p->prefix.data, p->prefix.len);
        o.norm = tsl_bertnorm_make(o.norm);
        for (size_t i = 0; i < n; i++) {
            const struct tsl_addedtok_def *d = tsl_addedtok_at(p->added, i);
            if (is_looked_for(t, d))
                specials[o.nspecials++] =
                    (struct tsl_bertenc_special){ d->content, d->id };
        }
        t->model = tsl_bertenc_model_create(p->vocab, &o, err);
        t->engine = &tsl_bertenc_engine;
    }
    tsl_mem_free(specials);
    tsl_mem_free(prefix);
    return t->model ? 0 : TSL_ENOMEM;
}

/* pattern, prefix_space and NFC are the pipe's. */
static int use_bytes(struct tsl_tokenizer *t, bool ranks, struct tsl_err *err)
{
    const struct tsl_hfpipe *p = t->pipe;
    size_t n = tsl_addedtok_count(p->added);
    struct tsl_bytebpe_special *specials =
        tsl_mem_alloc(n + 1, sizeof *specials, "special tokens", err);
    struct tsl_bytebpe_opts o = { .vocab = t->bytes,
                                  .bytes = t->kind == TSL_TOKENIZER_TIKTOKEN,
                                  .merges = ranks ? NULL : p->merges.list,
                                  .nmerges = ranks ? 0 : p->merges.n,
                                  .pattern = p->pattern,
                                  .whole = ranks || p->bpe_opts.ignore_merges,
                                  .prefix_space = p->prefix_space,
                                  .nfc = p->norm_kind == TSL_HFPIPE_NORM_NFC,
                                  .invalid = t->o.invalid == TSL_INVALID_BYTES
                                                 ? TSL_INVALID_BYTES
                                                 : TSL_INVALID_REPLACE,
                                  .specials = specials };
    if (!specials)
        return TSL_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const struct tsl_addedtok_def *d = tsl_addedtok_at(p->added, i);
        if (is_looked_for(t, d))
            specials[o.nspecials++] =
                (struct tsl_bytebpe_special){ d->content, d->id, d->normalized };
    }
    struct tsl_err why = { 0 };
    t->model = tsl_bytebpe_model_create(&o, &why);
    if (t->model)
        t->engine = &tsl_bytebpe_engine;
    tsl_mem_free(specials);
    return t->model ? 0
                    : tsl_err_set(err, why.code ? why.code : TSL_ENOMEM, "%s", why.msg);
}

static bool is_bert(const struct tsl_hfpipe *p)
{
    return p->model == TSL_HFPIPE_WORDPIECE && p->split_kind == TSL_HFPIPE_SPLIT_BERT &&
           p->norm_kind <= TSL_HFPIPE_NORM_BERT && p->chars_max > 0 &&
           !memchr(p->prefix.data, 0, p->prefix.len) && plain_added(p, false);
}

static bool is_bytes(const struct tsl_hfpipe *p)
{
    return p->model == TSL_HFPIPE_BPE && p->split_kind == TSL_HFPIPE_SPLIT_BYTE_LEVEL &&
           (p->norm_kind == TSL_HFPIPE_NORM_NONE ||
            p->norm_kind == TSL_HFPIPE_NORM_NFC) &&
           !p->prefix.len && !p->suffix.len && !p->bpe_opts.byte_fallback &&
           plain_added(p, true);
}

static int use_pipe(struct tsl_tokenizer *t, struct tsl_err *err)
{
    t->engine = &tsl_hfpipe_engine;
    t->model = t->pipe;
    return tsl_hfpipe_finish(t->pipe, err);
}

/* The fastest engine that knows the pipe's parts. */
static int choose(struct tsl_tokenizer *t, const char *name, struct tsl_err *err)
{
    int rc = 0;
    t->pipe->plain_specials = t->o.plain_specials;
    if (!t->o.slow && is_bert(t->pipe)) {
        rc = use_bert(t, TSL_RULES_HF, err);
    } else if (!t->o.slow && is_bytes(t->pipe)) {
        struct tsl_err why = { 0 };
        t->bytes = tsl_tokfile_gpt2_bytes(t->pipe->vocab, err);
        if (!t->bytes)
            return TSL_ENOMEM;
        rc = use_bytes(t, false, &why);
        /* merges of tokens that are not spelled in bytes' letters are no merges of bytes */
        if (rc == TSL_ENOMEM)
            return tsl_err_set(err, rc, "%s: %s", name, why.msg);
        rc = 0;
    }
    if (rc == 0 && !t->model)
        rc = use_pipe(t, err);
    if (rc == 0 && t->o.invalid == TSL_INVALID_BYTES && t->engine != &tsl_bytebpe_engine)
        rc = tsl_err_set(
            err, TSL_EUSAGE,
            "%s: ill-formed bytes cannot be kept: its tokens are not of bytes", name);
    return rc;
}

/* ---- kinds of files ------------------------------------------------------------------- */

static int64_t find(const struct tsl_tokenizer *t, const char *const *names)
{
    for (; *names; names++) {
        const struct tsl_addedtok_def *d =
            tsl_addedtok_find(t->pipe->added, slice(*names));
        int64_t id = d                ? (int64_t)d->id
                     : t->pipe->vocab ? tsl_vocab_find(t->pipe->vocab, slice(*names))
                                      : TSL_VOCAB_NONE;
        if (id >= 0)
            return id;
    }
    return TSL_VOCAB_NONE;
}

static void find_specials(struct tsl_tokenizer *t)
{
    static const char *const pad[] = { "[PAD]", "<pad>", "<|pad|>", "<|padding|>", NULL };
    static const char *const unk[] = { "[UNK]", "<unk>", "<|unk|>", NULL };
    static const char *const cls[] = { "[CLS]", "<cls>", NULL };
    static const char *const sep[] = { "[SEP]", "<sep>", NULL };
    static const char *const mask[] = { "[MASK]", "<mask>", "<|mask|>", NULL };
    static const char *const bos[] = {
        "<s>", "<bos>", "<|begin_of_text|>", "<|startoftext|>", "[BOS]", NULL
    };
    static const char *const eos[] = { "</s>",          "<eos>", "<|end_of_text|>",
                                       "<|endoftext|>", "[EOS]", NULL };
    t->specials = (struct tsl_special_tokens){ .pad = find(t, pad),
                                               .unk = find(t, unk),
                                               .cls = find(t, cls),
                                               .sep = find(t, sep),
                                               .mask = find(t, mask),
                                               .bos = find(t, bos),
                                               .eos = find(t, eos) };
    if (t->pipe->vocab && t->pipe->unk.data) {
        int64_t id = tsl_vocab_find(t->pipe->vocab, t->pipe->unk);
        if (id >= 0)
            t->specials.unk = id;
    }
}

/* A token that is already in the vocabulary, or has the id that is told, as special. */
static int add_special(struct tsl_hfpipe *p, const char *text, int64_t id, bool lstrip,
                       struct tsl_err *err)
{
    struct tsl_addedtok_def d = {
        .content = slice(text), .id = (uint32_t)id, .lstrip = lstrip, .special = true
    };
    return id < 0 ? 0 : tsl_addedtok_put(p->added, &d, err);
}

static int wrong_rules(const struct tsl_tokenizer *t, const char *name,
                       struct tsl_err *err)
{
    if (t->o.rules != TSL_RULES_HF)
        return tsl_err_set(err, TSL_EUSAGE,
                           "%s: Google's and bert4keras' rules are for vocab.txt", name);
    if (t->o.lowercase != TSL_CASE_AUTO)
        return tsl_err_set(err, TSL_EUSAGE,
                           "%s: lower case can be chosen for vocab.txt only", name);
    return 0;
}

static int wrong_pattern(const struct tsl_tokenizer *t, const char *name,
                         struct tsl_err *err)
{
    return t->o.pattern
               ? tsl_err_set(err, TSL_EUSAGE,
                             "%s: a pattern can be given for .tiktoken files only", name)
               : 0;
}

/* BertTokenizer's parts around a vocab.txt. */
static int bert_parts(struct tsl_hfpipe *p, const struct tsl_special_tokens *s,
                      bool lower, size_t chars_max, struct tsl_err *err)
{
    static const uint8_t unk[] = "[UNK]", prefix[] = "##";
    p->vocab_count = tsl_vocab_count(p->vocab) - tsl_vocab_duplicates(p->vocab);
    p->unk = (struct tsl_slice){ unk, sizeof unk - 1 };
    p->prefix = (struct tsl_slice){ prefix, sizeof prefix - 1 };
    p->chars_max = chars_max;
    p->norm_kind = TSL_HFPIPE_NORM_BERT;
    p->split_kind = TSL_HFPIPE_SPLIT_BERT;
    p->bert_clean = p->bert_chinese = true;
    p->bert_strip = p->bert_lower = lower;
    p->model = TSL_HFPIPE_WORDPIECE;
    p->normalizer = tsl_normalizer_create_bert(true, true, lower, lower, err);
    p->pretok = p->normalizer ? tsl_pretok_create_bert(err) : NULL;
    if (!p->pretok)
        return TSL_ENOMEM;
    int rc = 0;
    if (s->cls >= 0 && s->sep >= 0)
        rc = tsl_postproc_bert(
            &p->postproc, (struct tsl_postproc_token){ .id = (uint32_t)s->cls },
            (struct tsl_postproc_token){ .id = (uint32_t)s->sep }, err);
    if (rc == 0)
        rc = tsl_detok_add_wordpiece(p->detok, p->prefix, true, err);
    if (rc == 0)
        rc = add_special(p, "[PAD]", s->pad, false, err);
    if (rc == 0)
        rc = add_special(p, "[UNK]", s->unk, false, err);
    if (rc == 0)
        rc = add_special(p, "[CLS]", s->cls, false, err);
    if (rc == 0)
        rc = add_special(p, "[SEP]", s->sep, false, err);
    if (rc == 0)
        rc = add_special(p, "[MASK]", s->mask, false, err);
    return rc < 0 ? rc : tsl_hfpipe_build(p, err);
}

static int open_bert(struct tsl_tokenizer *t, struct tsl_slice text, const char *name,
                     struct tsl_err *err)
{
    t->kind = TSL_TOKENIZER_BERT;
    int rc = wrong_pattern(t, name, err);
    if (rc == 0)
        rc = tsl_tokfile_bert_parse(&t->pipe->vocab, text, name, t->o.rules, err);
    if (rc == 0)
        rc = warn_duplicates(t, name, err);
    if (rc < 0)
        return rc;
    t->specials = tsl_tokfile_bert_specials(t->pipe->vocab);
    bool lower = t->o.lowercase == TSL_CASE_AUTO ? !tsl_tokfile_bert_cased(t->pipe->vocab)
                                                 : t->o.lowercase == TSL_CASE_LOWER;
    rc = bert_parts(t->pipe, &t->specials, lower, t->o.rules == TSL_RULES_HF ? 100 : 200,
                    err);
    if (rc == 0 && t->specials.unk < 0) {
        char line[400];
        snprintf(line, sizeof line,
                 "%.300s: no [UNK]: words that cannot be spelled will be errors", name);
        rc = warn(t, line, err);
    }
    if (rc < 0)
        return rc;
    if (t->o.rules == TSL_RULES_HF)
        return choose(t, name, err);
    if (t->o.invalid == TSL_INVALID_BYTES)
        return tsl_err_set(
            err, TSL_EUSAGE,
            "%s: ill-formed bytes cannot be kept: its tokens are not of bytes", name);
    return use_bert(t, t->o.rules, err);
}

/* RoBERTa's vocabulary has these as special tokens; GPT-2's the last one alone. */
static int gpt2_specials(struct tsl_hfpipe *p, struct tsl_err *err)
{
    static const char *const roberta[] = { "<s>", "<pad>", "</s>", "<unk>", "<mask>" };
    const size_t n = sizeof roberta / sizeof *roberta;
    int64_t ids[sizeof roberta / sizeof *roberta];
    int rc = 0;
    bool all = true;
    for (size_t i = 0; i < n; i++) {
        ids[i] = tsl_vocab_find(p->vocab, slice(roberta[i]));
        all = all && ids[i] >= 0;
    }
    for (size_t i = 0; all && rc == 0 && i < n; i++)
        rc = add_special(p, roberta[i], ids[i], i == 4, err);
    if (all && rc == 0)
        rc = tsl_postproc_roberta(
            &p->postproc, (struct tsl_postproc_token){ .id = (uint32_t)ids[0] },
            (struct tsl_postproc_token){ .id = (uint32_t)ids[2] }, true, false, err);
    if (rc == 0)
        rc = add_special(p, "<|endoftext|>",
                         tsl_vocab_find(p->vocab, slice("<|endoftext|>")), false, err);
    return rc;
}

static int gpt2_parts(struct tsl_hfpipe *p, struct tsl_err *err)
{
    p->vocab_count = tsl_vocab_count(p->vocab);
    p->split_kind = TSL_HFPIPE_SPLIT_BYTE_LEVEL;
    p->pattern = TSL_SPLITPAT_GPT2;
    p->pretok = tsl_pretok_create_byte_level(false, true, err);
    if (!p->pretok)
        return TSL_ENOMEM;
    p->model = TSL_HFPIPE_BPE;
    int rc = tsl_bpe_check(p->merges.n, &p->bpe_opts, err);
    if (rc == 0)
        rc = tsl_detok_add_byte_level(p->detok, err);
    if (rc == 0)
        rc = gpt2_specials(p, err);
    return rc < 0 ? rc : tsl_hfpipe_build(p, err);
}

static int open_gpt2(struct tsl_tokenizer *t, const char *vocab_path,
                     const char *merges_path, struct tsl_err *err)
{
    uint8_t *text = NULL;
    size_t len = 0;
    const struct tsl_quoted vocab_name = tsl_quote(vocab_path);
    const struct tsl_quoted merges_name = tsl_quote(merges_path);
    t->kind = TSL_TOKENIZER_GPT2;
    int rc = wrong_rules(t, vocab_name.s, err);
    if (rc == 0)
        rc = wrong_pattern(t, vocab_name.s, err);
    if (rc == 0)
        rc = tsl_tokfile_read(&text, &len, vocab_path, err);
    if (rc == 0)
        rc = tsl_tokfile_gpt2_vocab(&t->pipe->vocab, (struct tsl_slice){ text, len },
                                    vocab_name.s, err);
    tsl_mem_free(text);
    text = NULL;
    if (rc == 0)
        rc = tsl_tokfile_read(&text, &len, merges_path, err);
    if (rc == 0)
        rc = tsl_tokfile_gpt2_merges(&t->pipe->merges, t->pipe->vocab,
                                     (struct tsl_slice){ text, len }, merges_name.s, err);
    tsl_mem_free(text);
    if (rc == 0)
        rc = gpt2_parts(t->pipe, err);
    if (rc < 0)
        return rc;
    find_specials(t);
    return choose(t, vocab_name.s, err);
}

/* The slow form of a .tiktoken: its ranks as merges of spelled tokens. */
static int tiktoken_slow(struct tsl_tokenizer *t, const char *name, struct tsl_err *err)
{
    struct tsl_hfpipe *p = t->pipe;
    struct tsl_vocab *spelled = tsl_vocab_create(err);
    uint8_t *buf =
        spelled ? tsl_mem_alloc(2 * tsl_vocab_longest(t->bytes) + 1, 1, "a token", err)
                : NULL;
    int rc =
        buf ? tsl_tokfile_tiktoken_merges(&p->merges, t->bytes, name, err) : TSL_ENOMEM;
    for (uint32_t id = 0; rc == 0 && id < tsl_vocab_size(t->bytes); id++) {
        struct tsl_slice s = tsl_vocab_token(t->bytes, id);
        if (s.data)
            rc = tsl_vocab_add(spelled, id,
                               (struct tsl_slice){ buf, tsl_bytealpha_encode(s, buf) },
                               err);
    }
    tsl_mem_free(buf);
    tsl_vocab_destroy(p->vocab);
    p->vocab = spelled;
    if (rc < 0)
        return rc;
    p->bpe_opts.ignore_merges = true;
    p->pretok = tsl_pretok_create_sequence(err);
    if (!p->pretok)
        return TSL_ENOMEM;
    p->model = TSL_HFPIPE_BPE;
    /* tiktoken's spelling has a possessive {1,3}+, which Oniguruma reads as two repeats; the
     * older one gives the same ids */
    if (p->pattern == TSL_SPLITPAT_CL100K_T)
        p->pattern = TSL_SPLITPAT_CL100K;
    rc = tsl_pretok_append(
        p->pretok,
        tsl_pretok_create_split_regex(slice(tsl_splitpat_regex(p->pattern)),
                                      TSL_SPLIT_ISOLATED, false, err),
        err);
    if (rc == 0)
        rc = tsl_pretok_append(p->pretok, tsl_pretok_create_byte_level(false, false, err),
                               err);
    return rc < 0 ? rc : use_pipe(t, err);
}

static int open_tiktoken(struct tsl_tokenizer *t, struct tsl_slice text, const char *name,
                         struct tsl_err *err)
{
    struct tsl_tokfile_tiktoken file;
    t->kind = TSL_TOKENIZER_TIKTOKEN;
    int rc = wrong_rules(t, name, err);
    if (rc == 0)
        rc = tsl_tokfile_tiktoken_parse(&file, text, name, t->o.pattern, err);
    if (rc < 0)
        return rc;
    t->bytes = file.vocab;
    t->pipe->pattern = file.pattern;
    t->pipe->plain_specials = t->o.plain_specials;
    for (size_t i = 0; rc == 0 && i < file.nspecials; i++)
        rc = add_special(t->pipe, file.specials[i].text, file.specials[i].id, false, err);
    if (rc == 0)
        rc = tsl_hfpipe_build(t->pipe, err);
    if (rc < 0)
        return rc;
    find_specials(t);
    if (t->o.slow)
        return tiktoken_slow(t, name, err);
    struct tsl_err why = { 0 };
    rc = use_bytes(t, true, &why);
    return rc < 0 ? tsl_err_set(err, rc, "%s: %s", name, why.msg) : 0;
}

static int open_spm(struct tsl_tokenizer *t, struct tsl_slice bytes, const char *name,
                    struct tsl_err *err)
{
    static const char *const cls[] = { "<cls>", "[CLS]" }, *const sep[] = { "<sep>",
                                                                            "[SEP]" };
    static const char *const mask[] = { "<mask>", "[MASK]" };
    struct tsl_tokfile_spm *file;
    struct tsl_spm *model;
    t->kind = TSL_TOKENIZER_SPM;
    int rc = wrong_rules(t, name, err);
    if (rc == 0)
        rc = wrong_pattern(t, name, err);
    if (rc == 0 && t->o.invalid == TSL_INVALID_BYTES)
        rc = tsl_err_set(err, TSL_EUSAGE,
                         "%s: ill-formed bytes cannot be kept by SentencePiece", name);
    if (rc == 0)
        rc = tsl_tokfile_spm_read(&file, bytes, name, err);
    if (rc < 0)
        return rc;
    rc = tsl_spm_create(&model, file, err);
    if (rc < 0)
        return rc;
    t->model = model;
    t->engine = &tsl_spm_engine;
    t->pipe->vocab = tsl_vocab_create(err);
    if (!t->pipe->vocab)
        return TSL_ENOMEM;
    rc = tsl_tokfile_spm_vocab(tsl_spm_file(model), t->pipe->vocab, err);
    struct tsl_spm_specials s = tsl_tokfile_spm_specials(tsl_spm_file(model));
    t->specials = (struct tsl_special_tokens){ s.pad, s.unk, -1, -1, -1, s.bos, s.eos };
    for (size_t i = 2; rc == 0 && i-- > 0;) {
        int64_t id[3] = { tsl_vocab_find(t->pipe->vocab, slice(cls[i])),
                          tsl_vocab_find(t->pipe->vocab, slice(sep[i])),
                          tsl_vocab_find(t->pipe->vocab, slice(mask[i])) };
        t->specials.cls = id[0] >= 0 ? id[0] : t->specials.cls;
        t->specials.sep = id[1] >= 0 ? id[1] : t->specials.sep;
        t->specials.mask = id[2] >= 0 ? id[2] : t->specials.mask;
    }
    return rc;
}

static int open_hf(struct tsl_tokenizer *t, struct tsl_tokfile_hf_doc *doc,
                   const char *name, struct tsl_err *err)
{
    struct tsl_tokfile_hf_notes notes;
    struct tsl_hfpipe *p;
    char line[400];
    t->kind = TSL_TOKENIZER_HF;
    int rc = wrong_rules(t, name, err);
    if (rc == 0)
        rc = wrong_pattern(t, name, err);
    if (rc == 0)
        rc = tsl_tokfile_hf_take(&p, doc, name, &notes, err);
    if (rc < 0)
        return rc;
    tsl_hfpipe_destroy(t->pipe);
    t->pipe = p;
    rc = warn_duplicates(t, name, err);
    for (char *at = notes.text, *next; rc == 0 && *at; at = next) {
        next = at + strcspn(at, "\n");
        if (*next)
            *next++ = '\0';
        rc = warn(t, at, err);
    }
    if (rc == 0 && (p->has_truncation || p->has_padding)) {
        snprintf(line, sizeof line, "%.300s: what gets special tokens is %s%s%s, too",
                 name, p->has_truncation ? "truncated" : "",
                 p->has_truncation && p->has_padding ? " and " : "",
                 p->has_padding ? "padded" : "");
        rc = warn(t, line, err);
    }
    if (rc < 0)
        return rc;
    find_specials(t);
    return choose(t, name, err);
}

/* ---- finding the file ----------------------------------------------------------------- */

struct path {
    char s[4096];
};

static int join(struct path *out, const char *dir, const char *name, struct tsl_err *err)
{
    size_t n = strlen(dir);
    int len = snprintf(out->s, sizeof out->s, "%s%s%s", dir,
                       n && dir[n - 1] == '/' ? "" : "/", name);
    return (size_t)len < sizeof out->s
               ? 0
               : tsl_err_set(err, TSL_EUSAGE, "%s: the path is too long",
                             tsl_quote(dir).s);
}

static bool exists(const char *dir, const char *name, struct path *out)
{
    static const char *const ends[] = { "", ".gz", ".zst" };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char full[256];
        struct stat st;
        snprintf(full, sizeof full, "%s%s", name, ends[i]);
        if (join(out, dir, full, NULL) == 0 && stat(out->s, &st) == 0)
            return true;
    }
    return false;
}

/* The folder's one .model or .tiktoken: 1; 0: none. */
static int only_file(const char *dir, struct path *out, struct tsl_err *err)
{
    static const char *const ends[] = { ".model",    ".model.gz",    ".model.zst",
                                        ".tiktoken", ".tiktoken.gz", ".tiktoken.zst" };
    DIR *d = opendir(dir);
    int found = 0, rc = 0;
    if (!d)
        return 0;
    for (struct dirent *e; rc == 0 && (e = readdir(d));)
        for (size_t i = 0; rc == 0 && i < sizeof ends / sizeof *ends; i++)
            if (tsl_ends_with(e->d_name, ends[i])) {
                if (found++)
                    rc = tsl_err_set(err, TSL_EUSAGE,
                                     "%s: more than one vocabulary is in this folder",
                                     tsl_quote(dir).s);
                else
                    rc = join(out, dir, e->d_name, err);
            }
    closedir(d);
    return rc < 0 ? rc : found;
}

static int open_file(struct tsl_tokenizer *t, const char *path, struct tsl_err *err);

/* Was this .model trained by us, and so a tokenizer.json beside it made from it? */
static bool is_our_model(const char *path)
{
    static const char ours[] = TSL_TRAINFILES_PREFIX;
    struct tsl_tokfile_spm *m;
    if (tsl_tokfile_spm_open(&m, path, NULL) < 0)
        return false;
    struct tsl_slice s = m->options.model_prefix;
    bool is = s.len == sizeof ours - 1 && memcmp(s.data, ours, s.len) == 0;
    tsl_tokfile_spm_destroy(m);
    return is;
}

static int open_folder(struct tsl_tokenizer *t, const char *dir, struct tsl_err *err)
{
    struct path vocab, merges;
    int rc;
    if (t->o.rules != TSL_RULES_HF && exists(dir, "vocab.txt", &vocab))
        return open_file(t, vocab.s, err);
    if (exists(dir, "tokenizer.json", &vocab)) {
        if (exists(dir, "tokenizer.model", &merges) && is_our_model(merges.s))
            return open_file(t, merges.s, err);
        return open_file(t, vocab.s, err);
    }
    if (exists(dir, "vocab.json", &vocab) && exists(dir, "merges.txt", &merges))
        return open_gpt2(t, vocab.s, merges.s, err);
    if (exists(dir, "vocab.txt", &vocab))
        return open_file(t, vocab.s, err);
    rc = only_file(dir, &vocab, err);
    if (rc > 0)
        return open_file(t, vocab.s, err);
    return rc < 0 ? rc
                  : tsl_err_set(err, TSL_EUSAGE,
                                "%s: no tokenizer.json, vocab.json with merges.txt, "
                                "vocab.txt, .model or .tiktoken in this folder",
                                tsl_quote(dir).s);
}

/* Half of a pair of files: the other one stands beside it. */
static int open_beside(struct tsl_tokenizer *t, const char *path, bool is_vocab,
                       struct tsl_err *err)
{
    struct path dir, other;
    const char *slash = strrchr(path, '/'),
               *name = is_vocab ? "merges.txt" : "vocab.json";
    size_t n = slash ? (size_t)(slash - path) : 1;
    if (n >= sizeof dir.s)
        return tsl_err_set(err, TSL_EUSAGE, "%s: the path is too long",
                           tsl_quote(path).s);
    memcpy(dir.s, slash ? path : ".", n);
    dir.s[n] = '\0';
    if (!n)
        strcpy(dir.s, "/");
    if (!exists(dir.s, name, &other))
        return tsl_err_set(err, TSL_EUSAGE, "%s: %s must stand beside it",
                           tsl_quote(path).s, name);
    return is_vocab ? open_gpt2(t, path, other.s, err) : open_gpt2(t, other.s, path, err);
}

/* Whether JSON text is a tokenizer.json and not a vocab.json: a token of the latter may be
 * called "model", too, but its id is no object. */
static int open_json(struct tsl_tokenizer *t, struct tsl_slice text, const char *path,
                     const char *name, struct tsl_err *err)
{
    struct tsl_tokfile_hf_doc doc;
    int rc = tsl_tokfile_hf_open(&doc, text, name, err);
    if (rc < 0)
        return rc;
    const struct tsl_jsonval *v = tsl_jsonread_root(doc.doc), *model;
    model = tsl_jsonread_get(v, "model");
    bool hf = tsl_jsonread_kind(model) == TSL_JSON_OBJECT ||
              tsl_jsonread_kind(tsl_jsonread_get(v, "added_tokens")) == TSL_JSON_ARRAY ||
              tsl_jsonread_kind(tsl_jsonread_get(v, "version")) == TSL_JSON_STRING;
    if (hf)
        rc = open_hf(t, &doc, name, err);
    tsl_tokfile_hf_close(&doc);
    return hf ? rc : open_beside(t, path, true, err);
}

static bool begins(struct tsl_slice s, const char *with)
{
    return s.len >= strlen(with) && memcmp(s.data, with, strlen(with)) == 0;
}

static int open_file(struct tsl_tokenizer *t, const char *path, struct tsl_err *err)
{
    const struct tsl_quoted name = tsl_quote(path);
    uint8_t *data;
    size_t len, i = 0;
    int rc = tsl_tokfile_read(&data, &len, path, err);
    if (rc < 0)
        return rc;
    struct tsl_slice text = { data, len };
    while (i < len &&
           (data[i] == ' ' || data[i] == '\t' || data[i] == '\n' || data[i] == '\r'))
        i++;
    if (i < len && data[i] == '{')
        rc = open_json(t, text, path, name.s, err);
    else if (tsl_tokfile_tiktoken_is(text))
        rc = open_tiktoken(t, text, name.s, err);
    else if (begins(text, "#version"))
        rc = open_beside(t, path, false, err);
    else if (tsl_tokfile_spm_looks_like(text) && memchr(data, 0, len))
        rc = open_spm(t, text, name.s, err);
    else if (len && memchr(data, 0, len))
        rc = tsl_err_set(err, TSL_EFORMAT, "%s: not a vocabulary of any known kind",
                         name.s);
    else
        rc = open_bert(t, text, name.s, err);
    tsl_mem_free(data);
    return rc;
}

int tsl_tokenizer_open(struct tsl_tokenizer **t, const char *path,
                       const struct tsl_tokenizer_opts *o, struct tsl_err *err)
{
    struct stat st;
    if (o->words)
        return tsl_err_set(err, TSL_EUSAGE, "word lists are not supported");
    struct tsl_tokenizer *made = tsl_mem_alloc(1, sizeof *made, "a tokenizer", err);
    if (!made)
        return TSL_ENOMEM;
    made->o = *o;
    made->o.pattern = o->pattern;
    made->pipe = tsl_hfpipe_create(err);
    int rc = made->pipe ? 0 : TSL_ENOMEM;
    if (rc == 0)
        rc = stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? open_folder(made, path, err)
                                                         : open_file(made, path, err);
    if (rc < 0) {
        tsl_tokenizer_destroy(made);
        return rc;
    }
    made->o.pattern = NULL; /* it was lent for the call */
    *t = made;
    return 0;
}

void tsl_tokenizer_destroy(struct tsl_tokenizer *t)
{
    if (!t)
        return;
    if (t->engine && t->model != t->pipe)
        t->engine->model_destroy(t->model);
    tsl_hfpipe_destroy(t->pipe);
    tsl_vocab_destroy(t->bytes);
    for (size_t i = 0; i < t->nwarnings; i++)
        tsl_mem_free(t->warnings[i]);
    tsl_mem_free(t);
}

/* ---- what it is ----------------------------------------------------------------------- */

enum tsl_tokenizer_kind tsl_tokenizer_kind(const struct tsl_tokenizer *t)
{
    return t->kind;
}

const char *tsl_tokenizer_engine(const struct tsl_tokenizer *t)
{
    return t->engine->name;
}

const struct tsl_vocab *tsl_tokenizer_vocab(const struct tsl_tokenizer *t)
{
    return t->kind == TSL_TOKENIZER_TIKTOKEN ? t->bytes : t->pipe->vocab;
}

static bool engine_says(const struct tsl_tokenizer *t)
{
    return t->engine == &tsl_hfpipe_engine || t->engine == &tsl_spm_engine;
}

bool tsl_tokenizer_says(const struct tsl_tokenizer *t)
{
    return engine_says(t) || t->pipe->postproc.named;
}

struct tsl_slice tsl_tokenizer_said(const struct tsl_tokenizer *t,
                                    const struct tsl_tokens *tokens, size_t i)
{
    struct tsl_slice said = tsl_tokens_text(tokens, i);
    return said.data ? said : tsl_postproc_named(&t->pipe->postproc, tokens, i);
}

uint32_t tsl_tokenizer_size(const struct tsl_tokenizer *t)
{
    uint32_t n = tsl_hfpipe_size(t->pipe), own = tsl_vocab_size(tsl_tokenizer_vocab(t));
    return n > own ? n : own;
}

int tsl_tokenizer_spell(const struct tsl_tokenizer *t, uint32_t id, char *buf, size_t cap)
{
    const struct tsl_addedtok_def *d = tsl_addedtok_by_id(t->pipe->added, id);
    struct tsl_slice s = d ? d->shown : tsl_vocab_token(tsl_tokenizer_vocab(t), id);
    size_t n = 0;
    if (!s.data || s.len > INT32_MAX / 2)
        return -1;
    if (d || t->kind != TSL_TOKENIZER_TIKTOKEN) {
        n = s.len;
        if (n && cap)
            memcpy(buf, s.data, n < cap ? n : cap);
    } else {
        for (size_t i = 0; i < s.len; i++) {
            uint8_t c[2];
            size_t k = tsl_bytealpha_encode((struct tsl_slice){ s.data + i, 1 }, c);
            for (size_t b = 0; b < k; b++, n++)
                if (n < cap)
                    buf[n] = (char)c[b];
        }
    }
    if (n < cap)
        buf[n] = '\0';
    return (int)n;
}

struct tsl_special_tokens tsl_tokenizer_specials(const struct tsl_tokenizer *t)
{
    return t->specials;
}

const char *tsl_tokenizer_warning(const struct tsl_tokenizer *t, size_t i)
{
    return i < t->nwarnings ? t->warnings[i] : NULL;
}

/* ---- coders --------------------------------------------------------------------------- */

struct tsl_coder {
    const struct tsl_tokenizer *t;
    void *coder;
    struct tsl_detok_list tokens, scratch;
    uint64_t row_at; /* bytes of the row before the text that comes next */
};

struct tsl_coder *tsl_coder_create(const struct tsl_tokenizer *t, size_t memory,
                                   struct tsl_err *err)
{
    struct tsl_coder *c = tsl_mem_alloc(1, sizeof *c, "a coder", err);
    if (!c)
        return NULL;
    c->t = t;
    c->coder = t->engine->coder_create(t->model, memory, err);
    if (!c->coder) {
        tsl_mem_free(c);
        return NULL;
    }
    return c;
}

void tsl_coder_destroy(struct tsl_coder *c)
{
    if (!c)
        return;
    c->t->engine->coder_destroy(c->coder);
    tsl_detok_list_fini(&c->tokens);
    tsl_detok_list_fini(&c->scratch);
    tsl_mem_free(c);
}

/* The invalid policy "error".  What ends with the text may go on in the next stretch. */
static int check_utf8(const struct tsl_coder *c, struct tsl_slice text, bool last,
                      struct tsl_err *err)
{
    size_t at = tsl_tokfile_utf8_end(text);
    uint32_t cp;
    if (at == text.len ||
        (!last &&
         at + tsl_utf8_decode(text.data + at, text.data + text.len, &cp) == text.len))
        return 0;
    return tsl_err_set(err, TSL_EFORMAT,
                       "byte %" PRIu64 " of the row (0x%02x) is not UTF-8",
                       c->row_at + at, text.data[at]);
}

/* Spans without the white space that a ByteLevel post-processor takes off. */
static void trim(const struct tsl_coder *c, struct tsl_slice text, bool first,
                 struct tsl_tokens *out, size_t from)
{
    const struct tsl_hfpipe *p = c->t->pipe;
    if (!p->postproc.ntrims || !(out->want & TSL_WANT_SPANS))
        return;
    bool notes = p->has_truncation && out->want & TSL_WANT_MARKS;
    for (size_t i = from; i < out->n; i++) {
        uint32_t begin = out->begin[i], end = out->end[i];
        struct tsl_slice token = { text.data + begin, end - begin };
        struct tsl_slice said = tsl_tokens_text(out, i);
        if (said.data)
            token = said;
        else if (out->want & TSL_WANT_TEXTS && engine_says(c->t))
            token = tsl_hfpipe_token(p, out->ids[i]);
        else if (!tsl_addedtok_by_id(p->added, out->ids[i]))
            token = tsl_vocab_token(p->vocab, out->ids[i]);
        if (token.len)
            tsl_postproc_trim_noted(&p->postproc, token, first, first && i == from, text,
                                    &out->begin[i], &out->end[i],
                                    notes ? &out->marks[i] : NULL);
    }
}

/* Of engines that say nothing of the tokens behind from, where that is asked for. */
static void say_nothing(const struct tsl_coder *c, struct tsl_tokens *out, size_t from)
{
    if (out->want & TSL_WANT_TEXTS && !engine_says(c->t) && out->n > from)
        memset(out->texts + from, 0, (out->n - from) * sizeof *out->texts);
}

int tsl_coder_encode(struct tsl_coder *c, struct tsl_slice text, bool first, bool last,
                     size_t *used, struct tsl_tokens *out, struct tsl_err *err)
{
    size_t from = out->n;
    int rc = 0;
    if (first)
        c->row_at = 0;
    if (c->t->o.invalid == TSL_INVALID_ERROR)
        rc = check_utf8(c, text, last, err);
    if (rc == 0)
        rc = c->t->engine->encode(c->coder, text, first, last, used, out, err);
    if (rc < 0)
        return rc;
    say_nothing(c, out, from);
    trim(c, text, first, out, from);
    c->row_at += *used;
    return 0;
}

int tsl_coder_encode_rows(struct tsl_coder *c, const uint8_t *bytes,
                          const struct tsl_row *rows, size_t nrows,
                          struct tsl_tokens *out, size_t *ends, struct tsl_err *err)
{
    const struct tsl_engine *e = c->t->engine;
    bool plain = c->t->o.invalid != TSL_INVALID_ERROR;
    int rc = 0;
    if (plain && e->encode_rows) {
        size_t from = out->n;
        rc = e->encode_rows(c->coder, bytes, rows, nrows, out, ends, err);
        say_nothing(c, out, from);
        if (!c->t->pipe->postproc.ntrims || !(out->want & TSL_WANT_SPANS))
            return rc;
        size_t n = out->n;
        for (size_t i = 0; rc == 0 && i < nrows; from = ends[i++]) {
            out->n = ends[i];
            trim(c, (struct tsl_slice){ bytes + rows[i].at, rows[i].len }, true, out,
                 from);
        }
        out->n = n;
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < nrows; i++) {
        size_t used;
        struct tsl_slice text = { bytes + rows[i].at, rows[i].len };
        rc = tsl_coder_encode(c, text, true, true, &used, out, err);
        ends[i] = out->n;
    }
    return rc;
}

int tsl_coder_wrap(struct tsl_coder *c, const struct tsl_tokens *a,
                   const struct tsl_tokens *b, struct tsl_tokens *out, uint8_t **type_ids,
                   size_t *type_cap, struct tsl_err *err)
{
    const struct tsl_hfpipe *p = c->t->pipe;
    const struct tsl_postproc_opts o = { .truncation =
                                             p->has_truncation ? &p->truncation : NULL,
                                         .padding = p->has_padding ? &p->padding : NULL,
                                         .one_piece = p->one_piece };
    return tsl_postproc_wrap(&p->postproc, a, b, &o, out, type_ids, type_cap, err);
}

static int bad_id(const struct tsl_coder *c, uint32_t id, struct tsl_err *err)
{
    uint32_t size = tsl_tokenizer_size(c->t);
    if (id >= size)
        return tsl_err_set(err, TSL_EFORMAT,
                           "id %" PRIu32
                           " is out of range: the vocabulary ends at %" PRIu32,
                           id, size - 1);
    return tsl_err_set(err, TSL_EFORMAT, "id %" PRIu32 ": no token has it", id);
}

/* Strings of all ids to c->tokens. */
static int gather(struct tsl_coder *c, const uint32_t *ids, size_t n, bool skip_special,
                  struct tsl_err *err)
{
    const struct tsl_hfpipe *p = c->t->pipe;
    int rc = 0;
    tsl_detok_list_reset(&c->tokens);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        const struct tsl_addedtok_def *d = tsl_addedtok_by_id(p->added, ids[i]);
        struct tsl_slice s =
            d ? d->shown : tsl_vocab_token(tsl_tokenizer_vocab(c->t), ids[i]);
        if (!d && !s.data)
            return bad_id(c, ids[i], err);
        /* the peer asks for the text: the same elsewhere is special, too */
        if (skip_special)
            d = tsl_addedtok_find(p->added, s);
        if (!skip_special || !d || !d->special)
            rc = tsl_detok_list_add(&c->tokens, s, err);
    }
    return rc;
}

static int add_text(struct tsl_slice s, uint8_t **text, size_t *len, size_t *cap,
                    struct tsl_err *err)
{
    int rc = tsl_mem_grow(text, cap, *len + s.len + 1, 1, "decoded text", err);
    if (rc == 0 && s.len)
        memcpy(*text + *len, s.data, s.len);
    if (rc == 0)
        *len += s.len;
    return rc;
}

int tsl_coder_decode(struct tsl_coder *c, const uint32_t *ids, size_t n,
                     bool skip_special, uint8_t **text, size_t *len, size_t *cap,
                     struct tsl_err *err)
{
    const struct tsl_tokenizer *t = c->t;
    bool raw = t->o.invalid == TSL_INVALID_BYTES;
    if (t->kind == TSL_TOKENIZER_SPM)
        return tsl_spm_decode(t->model, ids, n, text, len, cap, err);
    int rc = gather(c, ids, n, skip_special, err);
    if (rc < 0)
        return rc;
    if (t->kind != TSL_TOKENIZER_TIKTOKEN)
        rc = tsl_detok_run(t->pipe->detok, &c->tokens, &c->scratch, raw, err);
    else if (!raw)
        rc = tsl_detok_lossy(&c->tokens, &c->scratch, err);
    return rc < 0 ? rc
                  : add_text((struct tsl_slice){ c->tokens.bytes, c->tokens.len }, text,
                             len, cap, err);
}

bool tsl_tokenizer_cuts(const struct tsl_tokenizer *t)
{
    return t->pipe->has_truncation || t->pipe->has_padding;
}

struct tsl_coder_counts tsl_coder_counts(const struct tsl_coder *c)
{
    struct tsl_coder_counts n = { 0 };
    if (c->t->engine->counts)
        c->t->engine->counts(c->coder, &n.invalid, &n.unknown);
    return n;
}
