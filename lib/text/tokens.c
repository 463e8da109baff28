#include "text/tokens.h"

#include <string.h>

#include "base/mem.h"

void tsl_tokens_init(struct tsl_tokens *t, unsigned want)
{
    *t = (struct tsl_tokens){ .want = want };
}

static int grow(void *array, size_t cap, size_t size, struct tsl_err *err)
{
    void **p = array, *grown = tsl_mem_resize(*p, cap, size, "tokens", err);
    if (!grown)
        return TSL_ENOMEM;
    *p = grown;
    return 0;
}

int tsl_tokens_reserve(struct tsl_tokens *t, size_t n, struct tsl_err *err)
{
    size_t cap = t->cap < 64 ? 64 : t->cap;
    if (t->cap - t->n >= n && t->cap)
        return 0;
    while (cap - t->n < n)
        cap *= 2;
    bool spans = t->want & TSL_WANT_SPANS, marks = t->want & TSL_WANT_MARKS;
    bool texts = t->want & TSL_WANT_TEXTS;
    if (grow(&t->ids, cap, sizeof *t->ids, err) < 0 ||
        (spans && grow(&t->begin, cap, sizeof *t->begin, err) < 0) ||
        (spans && grow(&t->end, cap, sizeof *t->end, err) < 0) ||
        (marks && grow(&t->marks, cap, 1, err) < 0) ||
        (texts && grow(&t->texts, cap, sizeof *t->texts, err) < 0))
        return TSL_ENOMEM; /* arrays that grew keep at least t->cap: nothing is lost */
    t->cap = cap;
    return 0;
}

int tsl_tokens_add(struct tsl_tokens *t, uint32_t id, uint32_t begin, uint32_t end,
                   unsigned marks, struct tsl_err *err)
{
    int rc = tsl_tokens_reserve(t, 1, err);
    if (rc < 0)
        return rc;
    t->ids[t->n] = id;
    if (t->want & TSL_WANT_SPANS) {
        t->begin[t->n] = begin;
        t->end[t->n] = end;
    }
    if (t->want & TSL_WANT_MARKS)
        t->marks[t->n] = (uint8_t)marks;
    if (t->want & TSL_WANT_TEXTS)
        t->texts[t->n] = 0;
    t->n++;
    return 0;
}

int tsl_tokens_say(struct tsl_tokens *t, struct tsl_slice text, bool more,
                   struct tsl_err *err)
{
    struct tsl_tokens_store *s = t->store;
    if (!(t->want & TSL_WANT_TEXTS) || !t->n)
        return 0;
    uint32_t *at = &t->texts[t->n - 1], n = 0;
    if (more && *at)
        memcpy(&n, s->bytes + *at - 1, sizeof n);
    more = more && *at && *at - 1 + sizeof n + n == s->len;
    size_t need = s->len + text.len + sizeof n;
    if (need >= UINT32_MAX - TSL_TOKENS_NAMES)
        return tsl_err_nomem(err, need, "the texts of tokens");
    int rc = tsl_mem_grow(&s->bytes, &s->cap, need, 1, "the texts of tokens", err);
    if (rc < 0)
        return rc;
    if (!more) {
        *at = (uint32_t)s->len + 1;
        s->len += sizeof n;
        n = 0;
    }
    n += (uint32_t)text.len;
    memcpy(s->bytes + *at - 1, &n, sizeof n);
    if (text.len)
        memcpy(s->bytes + s->len, text.data, text.len);
    s->len += text.len;
    return 0;
}

struct tsl_slice tsl_tokens_text(const struct tsl_tokens *t, size_t i)
{
    uint32_t at = t->want & TSL_WANT_TEXTS ? t->texts[i] : 0, n;
    if (!at || at >= UINT32_MAX - TSL_TOKENS_NAMES)
        return (struct tsl_slice){ NULL, 0 };
    memcpy(&n, t->store->bytes + at - 1, sizeof n);
    return (struct tsl_slice){ t->store->bytes + at - 1 + sizeof n, n };
}

void tsl_tokens_store_fini(struct tsl_tokens_store *s)
{
    tsl_mem_free(s->bytes);
    *s = (struct tsl_tokens_store){ .len = 0 };
}

/* n items behind n0 of to: from `from`, or 0 where has is not set. */
static void copy(void *to, size_t n0, const void *from, size_t at, size_t n, size_t size,
                 bool has)
{
    if (has)
        memcpy((uint8_t *)to + n0 * size, (const uint8_t *)from + at * size, n * size);
    else
        memset((uint8_t *)to + n0 * size, 0, n * size);
}

int tsl_tokens_append(struct tsl_tokens *out, const struct tsl_tokens *t, size_t from,
                      size_t n, struct tsl_err *err)
{
    int rc = tsl_tokens_reserve(out, n, err);
    if (rc < 0 || n == 0)
        return rc;
    bool spans = t->want & TSL_WANT_SPANS, marks = t->want & TSL_WANT_MARKS;
    bool texts = t->want & TSL_WANT_TEXTS;
    copy(out->ids, out->n, t->ids, from, n, sizeof *t->ids, true);
    if (out->want & TSL_WANT_SPANS) {
        copy(out->begin, out->n, t->begin, from, n, sizeof *t->begin, spans);
        copy(out->end, out->n, t->end, from, n, sizeof *t->end, spans);
    }
    if (out->want & TSL_WANT_MARKS)
        copy(out->marks, out->n, t->marks, from, n, 1, marks);
    if (out->want & TSL_WANT_TEXTS)
        copy(out->texts, out->n, t->texts, from, n, sizeof *t->texts, texts);
    out->n += n;
    return 0;
}

struct tsl_tokens tsl_tokens_view(const struct tsl_tokens *t, size_t from, size_t to)
{
    struct tsl_tokens v = *t;
    v.ids += from;
    if (v.want & TSL_WANT_SPANS) {
        v.begin += from;
        v.end += from;
    }
    if (v.want & TSL_WANT_MARKS)
        v.marks += from;
    if (v.want & TSL_WANT_TEXTS)
        v.texts += from;
    v.n = to - from;
    v.cap = 0;
    return v;
}

void tsl_tokens_reset(struct tsl_tokens *t)
{
    t->n = 0;
}

void tsl_tokens_fini(struct tsl_tokens *t)
{
    tsl_mem_free(t->ids);
    tsl_mem_free(t->begin);
    tsl_mem_free(t->end);
    tsl_mem_free(t->marks);
    tsl_mem_free(t->texts);
    *t = (struct tsl_tokens){ .want = t->want, .store = t->store };
}
