#include "text/trainfiles.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/quote.h"
#include "text/tokfile_bert.h"
#include "text/tokfile_gpt2.h"
#include "text/tokfile_hf_write.h"

enum { BYTE_PIECES = 256 };

const char *const *tsl_trainfiles_names(const struct tsl_trainspec *spec)
{
    static const char *const wordpiece[] = { "vocab.txt", "tokenizer.json", NULL };
    static const char *const bytebpe[] = { "vocab.json", "merges.txt", "tokenizer.json",
                                           NULL };
    static const char *const spm[] = { "tokenizer.json", "tokenizer.model", NULL };
    return spec->kind == TSL_TRAIN_WORDPIECE ? wordpiece
           : spec->kind == TSL_TRAIN_BYTEBPE ? bytebpe
                                             : spm + spec->spm.whitespace_suffix;
}

static bool writes(const struct tsl_trainspec *spec, const char *name)
{
    const char *const *own = tsl_trainfiles_names(spec);
    while (*own && strcmp(*own, name) != 0)
        own++;
    return *own != NULL;
}

static struct tsl_tokfile_out *add_file(struct tsl_trainfiles *f, const char *name)
{
    f->file[f->n].name = name;
    return &f->out[f->n++];
}

/* ---- Hugging Face's ---- */

struct tables {
    struct tsl_slice *tokens;
    struct tsl_tokfile_merge *merges;
};

static int define(struct tsl_tokfile_def *def, struct tables *m,
                  const struct tsl_trainspec *spec, const struct tsl_bpetrain *t,
                  struct tsl_err *err)
{
    size_t given = spec->nspecials + spec->nsymbols, n = t->n > given ? t->n : given;
    m->tokens = tsl_mem_alloc(n + 1, sizeof *m->tokens, "a vocabulary", err);
    m->merges = tsl_mem_alloc(t->nmerges + 1, sizeof *m->merges, "merges", err);
    if (!m->tokens || !m->merges)
        return TSL_ENOMEM;
    for (size_t i = 0; i < n; i++)
        m->tokens[i] = i < spec->nspecials ? spec->specials[i]
                       : i < given         ? spec->symbols[i - spec->nspecials]
                                           : tsl_bpetrain_token(t, i);
    for (size_t i = 0; i < t->nmerges; i++) {
        const struct tsl_bpetrain_merge *b = &t->merges[i];
        m->merges[i] = (struct tsl_tokfile_merge){ b->left, b->right, b->id };
    }
    *def = (struct tsl_tokfile_def){ .tokens = m->tokens,
                                     .ntokens = n,
                                     .nspecials = spec->nspecials,
                                     .nsymbols = spec->nsymbols,
                                     .merges = m->merges,
                                     .nmerges = t->nmerges };
    return 0;
}

static int make_hf(struct tsl_trainfiles *f, const struct tsl_trainspec *spec,
                   const struct tsl_bpetrain *t, struct tsl_err *err)
{
    struct tables m = { 0 };
    struct tsl_tokfile_def def;
    const char *const *names = tsl_trainfiles_names(spec);
    int rc = define(&def, &m, spec, t, err);
    if (rc == 0 && spec->kind == TSL_TRAIN_WORDPIECE) {
        rc = tsl_tokfile_bert_write(add_file(f, names[0]), &def, err);
        if (rc == 0)
            rc = tsl_tokfile_hf_write_wordpiece(add_file(f, names[1]), &def, &spec->norm,
                                                err);
    } else if (rc == 0) {
        rc = tsl_tokfile_gpt2_write_vocab(add_file(f, names[0]), &def, err);
        if (rc == 0)
            rc = tsl_tokfile_gpt2_write_merges(add_file(f, names[1]), &def, spec->made_by,
                                               err);
        if (rc == 0)
            rc = tsl_tokfile_hf_write_bytebpe(add_file(f, names[2]), &def, spec->pattern,
                                              spec->prefix_space, err);
    }
    tsl_mem_free(m.tokens);
    tsl_mem_free(m.merges);
    return rc;
}

/* ---- SentencePiece's ---- */

static bool same(struct tsl_slice a, struct tsl_slice b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

static struct tsl_slice text_of(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

/* A special token's type; notes its id where its name has a use. */
static enum tsl_spm_type special_type(struct tsl_spm_options *o, struct tsl_slice text,
                                      int32_t id)
{
    if (same(text, o->unk_piece)) {
        o->unk_id = id;
        return TSL_SPM_UNKNOWN;
    }
    if (same(text, o->bos_piece))
        o->bos_id = id;
    else if (same(text, o->eos_piece))
        o->eos_id = id;
    else if (same(text, o->pad_piece))
        o->pad_id = id;
    return TSL_SPM_CONTROL;
}

/* Pieces that no training made: specials, user-defined ones, bytes. */
static size_t put_meta(struct tsl_spm_piece *p, const struct tsl_trainspec *spec,
                       struct tsl_spm_options *o, char bytes[BYTE_PIECES][8])
{
    size_t n = 0;
    o->unk_id = o->bos_id = o->eos_id = o->pad_id = -1;
    for (size_t i = 0; i < spec->nspecials; i++, n++) {
        p[n].text = spec->specials[i];
        p[n].type = special_type(o, p[n].text, (int32_t)i);
    }
    for (size_t i = 0; i < spec->nsymbols; i++, n++)
        p[n] = (struct tsl_spm_piece){ spec->symbols[i], 0, TSL_SPM_USER_DEFINED };
    for (unsigned b = 0; o->byte_fallback && b < BYTE_PIECES; b++, n++) {
        snprintf(bytes[b], 8, "<0x%02X>", b);
        p[n] =
            (struct tsl_spm_piece){ { (const uint8_t *)bytes[b], 6 }, 0, TSL_SPM_BYTE };
    }
    return n;
}

static int make_spm(struct tsl_trainfiles *f, const struct tsl_trainspec *spec,
                    const struct tsl_bpetrain *t, const struct tsl_unitrain *u,
                    struct tsl_err *err)
{
    struct tsl_spm_options o = spec->spm;
    char bytes[BYTE_PIECES][8];
    bool unigram = spec->kind == TSL_TRAIN_UNIGRAM;
    size_t room =
        spec->nspecials + spec->nsymbols + BYTE_PIECES + (unigram ? u->n : t->n);
    struct tsl_spm_piece *p = tsl_mem_alloc(room, sizeof *p, "a vocabulary", err);
    if (!p)
        return TSL_ENOMEM;
    memset(p, 0, room * sizeof *p);
    size_t n = put_meta(p, spec, &o, bytes);
    if (o.unk_id < 0) {
        tsl_mem_free(p);
        return tsl_err_set(err, TSL_EUSAGE,
                           "the special tokens lack %s, without which SentencePiece "
                           "loads nothing",
                           tsl_tokfile_quote(o.unk_piece).s);
    }
    for (size_t i = 0; unigram && i < u->n; i++, n++)
        p[n] = (struct tsl_spm_piece){ u->pieces[i].text, u->pieces[i].score,
                                       TSL_SPM_NORMAL };
    for (size_t i = unigram ? 0 : t->nspecials; !unigram && i < t->n; i++, n++)
        p[n] = (struct tsl_spm_piece){ tsl_bpetrain_token(t, i),
                                       -(float)(i - t->nspecials), TSL_SPM_NORMAL };
    o.algorithm = unigram ? TSL_SPM_UNIGRAM : TSL_SPM_BPE;
    o.vocab_size = (int32_t)n;
    o.model_prefix = text_of(TSL_TRAINFILES_PREFIX);
    const char *const *names = tsl_trainfiles_names(spec);
    int rc = 0;
    if (!o.whitespace_suffix)
        rc = tsl_tokfile_hf_write_spm(add_file(f, *names++), p, n, &o,
                                      spec->whitespace_only, err);
    struct tsl_tokfile_out *out = add_file(f, *names);
    if (rc == 0)
        rc = tsl_tokfile_spm_write(&out->bytes, &out->len, p, n, &o, err);
    tsl_mem_free(p);
    return rc;
}

int tsl_trainfiles_make(struct tsl_trainfiles *f, const struct tsl_trainspec *spec,
                        const struct tsl_bpetrain *t, const struct tsl_unitrain *u,
                        struct tsl_err *err)
{
    int rc = spec->kind <= TSL_TRAIN_BYTEBPE ? make_hf(f, spec, t, err)
                                             : make_spm(f, spec, t, u, err);
    for (size_t i = 0; i < f->n; i++)
        f->file[i].bytes = (struct tsl_slice){ f->out[i].bytes, f->out[i].len };
    return rc;
}

void tsl_trainfiles_fini(struct tsl_trainfiles *f)
{
    for (size_t i = 0; i < f->n; i++)
        tsl_tokfile_out_fini(&f->out[i]);
    *f = (struct tsl_trainfiles){ 0 };
}

/* The files of a vocabulary that has no more than the special tokens: can they be made? */
static int check_specials(const struct tsl_trainspec *spec, struct tsl_err *err)
{
    struct tsl_trainfiles f = { 0 };
    const struct tsl_bpetrain none = { 0 };
    const struct tsl_unitrain no_pieces = { 0 };
    int rc = tsl_trainfiles_make(&f, spec, &none, &no_pieces, err);
    tsl_trainfiles_fini(&f);
    return rc;
}

int tsl_trainfiles_check(const char *dir, const struct tsl_trainspec *spec,
                         struct tsl_err *err)
{
    static const char *const known[] = { "tokenizer.json",  "vocab.json", "merges.txt",
                                         "tokenizer.model", "vocab.txt",  NULL };
    int rc = tsl_outfolder_check(dir, err);
    for (size_t i = 0; known[i] && rc == 0; i++) {
        char path[4200];
        snprintf(path, sizeof path, "%s/%s", dir, known[i]);
        if (!writes(spec, known[i]) && access(path, F_OK) == 0)
            rc = tsl_err_set(err, TSL_EUSAGE,
                             "%s: a vocabulary of another kind lies there (%s); a folder "
                             "is for one",
                             tsl_quote(dir).s, known[i]);
    }
    return rc < 0 ? rc : check_specials(spec, err);
}
