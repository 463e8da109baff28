#include "text/tokens.h"

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
    if (grow(&t->ids, cap, sizeof *t->ids, err) < 0 ||
        (spans && grow(&t->begin, cap, sizeof *t->begin, err) < 0) ||
        (spans && grow(&t->end, cap, sizeof *t->end, err) < 0) ||
        (marks && grow(&t->marks, cap, 1, err) < 0))
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
    t->n++;
    return 0;
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
    *t = (struct tsl_tokens){ .want = t->want };
}
