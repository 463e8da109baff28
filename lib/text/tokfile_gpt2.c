#include "text/tokfile_gpt2.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "text/bytealpha.h"
#include "text/jsonl.h"

static int read_members(struct tsl_vocab *v, const struct tsl_jsonval *object,
                        const char *name, struct tsl_err *err)
{
    struct tsl_jsonread_member m = { 0 };
    while (tsl_jsonread_next(object, &m)) {
        int64_t id;
        if (!tsl_jsonread_int(m.value, &id) || id < 0 || id > UINT32_MAX)
            return tsl_err_set(err, TSL_EFORMAT,
                               "%s: the id of token %s is not a whole number in range",
                               name, tsl_tokfile_quote(m.key).s);
        struct tsl_err why = { 0 };
        int rc = tsl_vocab_add(v, (uint32_t)id, m.key, &why);
        if (rc < 0)
            return tsl_err_set(err, rc, "%s: %s", name, why.msg);
    }
    if (!tsl_vocab_count(v))
        return tsl_err_set(err, TSL_EFORMAT, "%s: the vocabulary has no tokens", name);
    return 0;
}

int tsl_tokfile_gpt2_object(struct tsl_vocab **v, const struct tsl_jsonval *object,
                            const char *name, struct tsl_err *err)
{
    if (tsl_jsonread_kind(object) != TSL_JSON_OBJECT)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: the vocabulary must be an object, token to id, not %s",
                           name, tsl_jsonread_kind_name(object));
    struct tsl_vocab *made = tsl_vocab_create(err);
    if (!made)
        return TSL_ENOMEM;
    int rc = read_members(made, object, name, err);
    if (rc < 0) {
        tsl_vocab_destroy(made);
        return rc;
    }
    *v = made;
    return 0;
}

/* What is left of the text of an object that has been checked. */
struct flat {
    const uint8_t *at;
    uint8_t *buf; /* a token without escapes */
    size_t buf_cap;
};

static void skip_blanks(struct flat *f)
{
    while (*f->at == ' ' || *f->at == '\n' || *f->at == '\t' || *f->at == '\r')
        f->at++;
}

static int flat_token(struct flat *f, struct tsl_slice *token, struct tsl_err *err)
{
    const uint8_t *from = ++f->at;
    bool escaped = false;
    for (; *f->at != '"'; f->at++)
        if (*f->at == '\\') {
            escaped = true;
            f->at++;
        }
    *token = (struct tsl_slice){ from, (size_t)(f->at++ - from) };
    if (!escaped)
        return 0;
    int rc = tsl_mem_grow(&f->buf, &f->buf_cap, token->len, 1, "a token", err);
    if (rc == 0)
        *token = (struct tsl_slice){ f->buf, tsl_jsonl_decode(*token, f->buf) };
    return rc;
}

/* false: it is no plain number, or has more than nine digits. */
static bool flat_id(struct flat *f, uint32_t *id)
{
    const uint8_t *from = f->at;
    for (*id = 0; *f->at >= '0' && *f->at <= '9' && f->at - from < 9; f->at++)
        *id = *id * 10 + (uint32_t)(*f->at - '0');
    return f->at > from && (*f->at == ',' || *f->at == '}' || *f->at == ' ' ||
                            *f->at == '\n' || *f->at == '\t' || *f->at == '\r');
}

/* 1; 0: it takes a tree; or TSL_ENOMEM. */
static int flat_members(struct flat *f, struct tsl_vocab *v, struct tsl_err *err)
{
    do {
        struct tsl_slice token;
        uint32_t id;
        f->at++; /* the brace, or a comma */
        skip_blanks(f);
        if (*f->at != '"')
            return 0;
        int rc = flat_token(f, &token, err);
        if (rc < 0)
            return rc;
        skip_blanks(f);
        f->at++; /* the colon */
        skip_blanks(f);
        if (!flat_id(f, &id))
            return 0;
        rc = tsl_vocab_add(v, id, token, NULL);
        if (rc < 0)
            return rc == TSL_ENOMEM ? tsl_err_nomem(err, token.len, "a token") : 0;
        skip_blanks(f);
    } while (*f->at == ',');
    return tsl_vocab_duplicates(v) == 0;
}

int tsl_tokfile_gpt2_flat(struct tsl_vocab **v, struct tsl_slice object,
                          struct tsl_err *err)
{
    struct flat f = { .at = object.data };
    struct tsl_vocab *made = tsl_vocab_create(err);
    if (!made)
        return TSL_ENOMEM;
    skip_blanks(&f);
    int rc = *f.at == '{' ? flat_members(&f, made, err) : 0;
    tsl_mem_free(f.buf);
    if (rc == 1)
        *v = made;
    else
        tsl_vocab_destroy(made);
    return rc;
}

int tsl_tokfile_gpt2_vocab(struct tsl_vocab **v, struct tsl_slice text, const char *name,
                           struct tsl_err *err)
{
    struct tsl_jsonread *doc;
    int rc = tsl_jsonl_find(text, NULL, 0, NULL, NULL);
    rc = rc == 0 ? tsl_tokfile_gpt2_flat(v, text, err) : 0;
    if (rc != 0)
        return rc < 0 ? rc : 0;
    rc = tsl_jsonread_parse(&doc, text, name, err);
    if (rc < 0)
        return rc;
    rc = tsl_tokfile_gpt2_object(v, tsl_jsonread_root(doc), name, err);
    tsl_jsonread_destroy(doc);
    return rc;
}

/* BufRead::lines of the peer takes "\r\n" off as well as "\n". */
static struct tsl_slice without_cr(struct tsl_slice line)
{
    if (line.len && line.data[line.len - 1] == '\r')
        line.len--;
    return line;
}

int tsl_tokfile_gpt2_merges(struct tsl_tokfile_merges *m, const struct tsl_vocab *v,
                            struct tsl_slice text, const char *name, struct tsl_err *err)
{
    static const char version[] = "#version";
    struct tsl_tokfile_lines l = { .rest = text };
    struct tsl_slice line;
    while (tsl_tokfile_line(&l, &line)) {
        char where[320];
        line = without_cr(line);
        if (line.len >= strlen(version) &&
            memcmp(line.data, version, strlen(version)) == 0)
            continue;
        const uint8_t *end = line.data + line.len;
        const uint8_t *blank = line.len ? memchr(line.data, ' ', line.len) : NULL;
        if (!blank || memchr(blank + 1, ' ', (size_t)(end - blank - 1)))
            return tsl_err_set(err, TSL_EFORMAT,
                               "%s: line %" PRIu64 ": %s is not two tokens with one "
                               "blank between them",
                               name, l.number, tsl_tokfile_quote(line).s);
        struct tsl_slice left = { line.data, (size_t)(blank - line.data) };
        struct tsl_slice right = { blank + 1, (size_t)(end - blank - 1) };
        snprintf(where, sizeof where, "%s: line %" PRIu64, name, l.number);
        int rc = tsl_tokfile_merges_add(m, v, left, right, 0, where, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

struct tsl_vocab *tsl_tokfile_gpt2_bytes(const struct tsl_vocab *spelled,
                                         struct tsl_err *err)
{
    struct tsl_vocab *v = tsl_vocab_create(err);
    size_t longest = tsl_vocab_longest(spelled), n;
    uint8_t *buf = v ? tsl_mem_alloc(longest + 1, 1, "a token", err) : NULL;
    int rc = buf ? 0 : TSL_ENOMEM;
    for (uint32_t id = 0; rc == 0 && id < tsl_vocab_size(spelled); id++) {
        struct tsl_slice s = tsl_vocab_token(spelled, id);
        if (s.data && tsl_bytealpha_decode(s, buf, &n))
            rc = tsl_vocab_add(v, id, (struct tsl_slice){ buf, n }, err);
    }
    tsl_mem_free(buf);
    if (rc < 0) {
        tsl_vocab_destroy(v);
        return NULL;
    }
    return v;
}

int tsl_tokfile_gpt2_put_vocab(struct tsl_json *j, const char *key,
                               const struct tsl_tokfile_def *def, struct tsl_err *err)
{
    tsl_json_open(j, key, '{');
    for (size_t i = 0; i < def->ntokens; i++) {
        if (tsl_tokfile_utf8_end(def->tokens[i]) < def->tokens[i].len)
            return tsl_err_set(err, TSL_EUSAGE,
                               "token %s cannot stand in JSON: it is not "
                               "UTF-8",
                               tsl_tokfile_quote(def->tokens[i]).s);
        tsl_json_entry(j, def->tokens[i], i);
    }
    tsl_json_close(j, '}');
    return 0;
}

int tsl_tokfile_gpt2_put_merge(struct tsl_tokfile_out *f,
                               const struct tsl_tokfile_def *def, size_t rank,
                               struct tsl_err *err)
{
    const struct tsl_slice left = def->tokens[def->merges[rank].left];
    const struct tsl_slice right = def->tokens[def->merges[rank].right];
    for (int i = 0; i < 2; i++) {
        struct tsl_slice s = i ? right : left;
        if (!s.len || memchr(s.data, ' ', s.len) || memchr(s.data, '\n', s.len))
            return tsl_err_set(err, TSL_EUSAGE,
                               "token %s cannot be a part of a merge in a file",
                               tsl_tokfile_quote(s).s);
    }
    int rc = tsl_tokfile_put(f, left.data, left.len, err);
    if (rc == 0)
        rc = tsl_tokfile_put(f, " ", 1, err);
    return rc < 0 ? rc : tsl_tokfile_put(f, right.data, right.len, err);
}

int tsl_tokfile_gpt2_write_vocab(struct tsl_tokfile_out *f,
                                 const struct tsl_tokfile_def *def, struct tsl_err *err)
{
    struct tsl_json j = { 0 };
    int rc = tsl_tokfile_gpt2_put_vocab(&j, NULL, def, err);
    if (rc == 0)
        rc = tsl_json_end(&j, err);
    if (rc == 0)
        rc = tsl_tokfile_put(f, j.text, j.len, err);
    tsl_json_fini(&j);
    return rc;
}

int tsl_tokfile_gpt2_write_merges(struct tsl_tokfile_out *f,
                                  const struct tsl_tokfile_def *def, const char *comment,
                                  struct tsl_err *err)
{
    static const char version[] = "#version: 0.2";
    int rc = tsl_tokfile_put(f, version, strlen(version), err);
    if (rc == 0 && *comment)
        rc = tsl_tokfile_put(f, " ", 1, err);
    if (rc == 0)
        rc = tsl_tokfile_put(f, comment, strlen(comment), err);
    if (rc == 0)
        rc = tsl_tokfile_put(f, "\n", 1, err);
    for (size_t i = 0; i < def->nmerges && rc == 0; i++) {
        rc = tsl_tokfile_gpt2_put_merge(f, def, i, err);
        if (rc == 0)
            rc = tsl_tokfile_put(f, "\n", 1, err);
    }
    return rc;
}
