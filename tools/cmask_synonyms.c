#include "cmask_synonyms.h"

#include <inttypes.h>

#include "base/mem.h"
#include "base/quote.h"
#include "io/rowstream.h"
#include "text/tokenizer.h"

enum { LINE_MAX_BYTES = 1 << 20, CODER_BYTES = 1 << 20 };

struct reading {
    struct cmask_synonyms *s;
    struct tsl_tokenizer *t;
    struct tsl_coder *coder;
    struct tsl_tokens tokens;
    const char *path;
    uint64_t line;
};

static int bad(const struct reading *r, const char *what, struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EFORMAT, "%s: line %" PRIu64 ": %s", tsl_quote(r->path).s,
                       r->line, what);
}

static int add_id(struct cmask_synonyms *s, uint32_t id, struct tsl_err *err)
{
    int rc =
        tsl_mem_grow(&s->ids, &s->ids_cap, s->nids + 1, sizeof *s->ids, "synonyms", err);
    if (rc == 0)
        s->ids[s->nids++] = id;
    return rc;
}

static int add_numbers(struct reading *r, struct tsl_slice field, struct tsl_err *err)
{
    for (size_t i = 0; i < field.len;) {
        uint64_t id = 0;
        size_t from = i;
        if (field.data[i] == ' ' && ++i)
            continue;
        for (; i < field.len && field.data[i] >= '0' && field.data[i] <= '9' &&
               id <= UINT32_MAX;
             i++)
            id = 10 * id + (field.data[i] - '0');
        if (i == from || id > UINT32_MAX)
            return bad(r,
                       "ids with blanks between them were expected: --vocab is needed "
                       "for words",
                       err);
        int rc = add_id(r->s, (uint32_t)id, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* The tokens of a field behind all others. */
static int add_field(struct reading *r, struct tsl_slice field, struct tsl_err *err)
{
    size_t used;
    if (!r->coder)
        return add_numbers(r, field, err);
    r->tokens.n = 0;
    int rc = tsl_coder_encode(r->coder, field, true, true, &used, &r->tokens, err);
    for (size_t i = 0; rc == 0 && i < r->tokens.n; i++)
        rc = add_id(r->s, r->tokens.ids[i], err);
    return rc;
}

static bool has_unknown(const struct reading *r, size_t from)
{
    int64_t unk = r->t ? tsl_tokenizer_specials(r->t).unk : -1;
    for (size_t i = from; i < r->s->nids; i++)
        if (r->s->ids[i] == unk)
            return true;
    return false;
}

static int end_word(struct reading *r, size_t n, struct tsl_err *err)
{
    struct cmask_synonyms *s = r->s;
    if (s->nids > UINT32_MAX - LINE_MAX_BYTES)
        return bad(r, "there are too many words", err);
    int rc = tsl_mem_grow(&s->len, &s->len_cap, s->nwords + 1, sizeof *s->len, "synonyms",
                          err);
    if (rc == 0)
        rc = tsl_mem_grow(&s->at, &s->at_cap, s->nwords + 2, sizeof *s->at, "synonyms",
                          err);
    if (rc < 0)
        return rc;
    s->at[0] = 0;
    s->len[s->nwords++] = (uint32_t)n;
    s->at[s->nwords] = (uint32_t)s->nids;
    return 0;
}

static int take_line(struct reading *r, struct tsl_slice line, struct tsl_err *err)
{
    struct cmask_synonyms *s = r->s;
    size_t begin = s->nids, n = 0;
    if (line.len && line.data[line.len - 1] == '\r')
        line.len--;
    for (size_t from = 0, to; from < line.len; from = to + 1) {
        for (to = from; to < line.len && line.data[to] != '\t'; to++)
            ;
        size_t before = s->nids;
        int rc = add_field(r, (struct tsl_slice){ line.data + from, to - from }, err);
        if (rc < 0)
            return rc;
        if (n == 0) {
            n = s->nids - begin;
            if (n == 0 || has_unknown(r, begin))
                break;
        } else if (s->nids - before != n || has_unknown(r, before)) {
            s->left_out++;
            s->nids = before;
        }
    }
    if (n && s->nids > begin + n)
        return end_word(r, n, err);
    s->left_out += n > 0;
    s->nids = begin; /* nothing is similar to it */
    return 0;
}

static int read_lines(struct reading *r, struct tsl_err *err)
{
    static char path[4096], *paths[] = { path };
    struct tsl_inputs_opts io = { .paths = paths,
                                  .npaths = 1,
                                  .frame = { .kind = TSL_FRAME_LINE },
                                  .batch_bytes = LINE_MAX_BYTES,
                                  .window_max = 128 << 20 };
    struct tsl_rowstream rows;
    struct tsl_rowpiece piece;
    if (strlen(r->path) >= sizeof path)
        return tsl_err_set(err, TSL_EUSAGE, "the name of --synonyms is too long");
    strcpy(path, r->path);
    int rc = tsl_rowstream_init(&rows, &io, err);
    while (rc == 0 && (rc = tsl_rowstream_next(&rows, &piece, err)) == 1) {
        r->line += piece.first;
        if (!piece.first || !piece.last)
            rc = bad(r, "longer than 1 MiB", err);
        else
            rc = take_line(r, (struct tsl_slice){ piece.data, piece.len }, err);
    }
    tsl_rowstream_fini(&rows);
    return rc;
}

int cmask_synonyms_read(struct cmask_synonyms *s, const char *path, const char *vocab,
                        struct tsl_err *err)
{
    struct reading r = { .s = s, .path = path };
    struct tsl_tokenizer_opts o = { 0 };
    int rc = vocab ? tsl_tokenizer_open(&r.t, vocab, &o, err) : 0;
    tsl_tokens_init(&r.tokens, 0);
    if (rc == 0 && vocab && !(r.coder = tsl_coder_create(r.t, CODER_BYTES, err)))
        rc = TSL_ENOMEM;
    if (rc == 0)
        rc = read_lines(&r, err);
    if (rc == 0 && s->nwords == 0)
        rc = tsl_err_set(err, TSL_EFORMAT,
                         "%s: no word has a similar one of as many tokens: a line is a "
                         "word and, behind tabs, similar ones",
                         tsl_quote(path).s);
    s->table = (struct tsl_mlm_synonyms){ (uint32_t)s->nwords, s->at, s->len, s->ids };
    tsl_coder_destroy(r.coder);
    tsl_tokens_fini(&r.tokens);
    tsl_tokenizer_destroy(r.t);
    return rc;
}

void cmask_synonyms_free(struct cmask_synonyms *s)
{
    tsl_mem_free(s->at);
    tsl_mem_free(s->len);
    tsl_mem_free(s->ids);
}
