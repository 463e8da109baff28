#include "text/wordlist.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

int tsl_wordlist_put(struct tsl_wordlist_maker *m, struct tsl_slice word, uint64_t count,
                     struct tsl_err *err)
{
    static const char what[] = "the list of words";
    assert(count > 0);
    int rc = tsl_mem_grow(&m->bytes, &m->bytes_cap, m->nbytes + word.len, 1, what, err);
    if (rc == 0)
        rc = tsl_mem_grow(&m->end, &m->end_cap, m->n + 1, sizeof *m->end, what, err);
    if (rc == 0)
        rc =
            tsl_mem_grow(&m->count, &m->count_cap, m->n + 1, sizeof *m->count, what, err);
    if (rc < 0)
        return rc;
    if (word.len)
        memcpy(m->bytes + m->nbytes, word.data, word.len);
    m->nbytes += word.len;
    m->end[m->n] = m->nbytes;
    m->count[m->n++] = count;
    return 0;
}

void tsl_wordlist_finish(struct tsl_wordlist_maker *m, struct tsl_wordlist *list)
{
    /* gives back what doubling left over; a refusal costs memory, no more */
    void *bytes = m->n ? tsl_mem_resize(m->bytes, m->nbytes, 1, "", NULL) : NULL;
    void *end = m->n ? tsl_mem_resize(m->end, m->n, sizeof *m->end, "", NULL) : NULL;
    void *count =
        m->n ? tsl_mem_resize(m->count, m->n, sizeof *m->count, "", NULL) : NULL;
    *list = (struct tsl_wordlist){ .bytes = bytes ? bytes : m->bytes,
                                   .end = end ? end : m->end,
                                   .count = count ? count : m->count,
                                   .n = m->n };
    *m = (struct tsl_wordlist_maker){ 0 };
}

void tsl_wordlist_drop(struct tsl_wordlist_maker *m)
{
    tsl_mem_free(m->bytes);
    tsl_mem_free(m->end);
    tsl_mem_free(m->count);
    *m = (struct tsl_wordlist_maker){ 0 };
}

void tsl_wordlist_fini(struct tsl_wordlist *l)
{
    tsl_mem_free((void *)(uintptr_t)l->bytes);
    tsl_mem_free((void *)(uintptr_t)l->end);
    tsl_mem_free((void *)(uintptr_t)l->count);
    *l = (struct tsl_wordlist){ 0 };
}

size_t tsl_wordlist_bytes(const struct tsl_wordlist *l)
{
    return l->n ? (size_t)l->end[l->n - 1] + l->n * (sizeof *l->end + sizeof *l->count)
                : 0;
}
