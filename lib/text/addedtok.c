#include "text/addedtok.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "text/trie.h"
#include "text/uniprop.h"

struct matcher {
    struct tsl_trie trie; /* value: index of the token */
    bool first[256];      /* bytes that a content begins with */
    size_t n;
};

struct tsl_addedtok {
    struct tsl_addedtok_def *list;
    size_t n, cap;
    struct tsl_vocab *by_content; /* content to index */
    struct tsl_vocab *by_id;      /* id to content */
    uint32_t size;                /* highest id + 1 */
    struct matcher matcher[2];    /* raw, normalised */
    uint8_t *shown;               /* normalised contents */
};

struct tsl_addedtok *tsl_addedtok_create(struct tsl_err *err)
{
    struct tsl_addedtok *a = tsl_mem_alloc(1, sizeof *a, "added tokens", err);
    if (!a)
        return NULL;
    a->by_content = tsl_vocab_create(err);
    a->by_id = a->by_content ? tsl_vocab_create(err) : NULL;
    if (!a->by_id) {
        tsl_addedtok_destroy(a);
        return NULL;
    }
    return a;
}

static void matchers_fini(struct tsl_addedtok *a)
{
    for (int k = 0; k < 2; k++) {
        if (a->matcher[k].n)
            tsl_trie_fini(&a->matcher[k].trie);
        a->matcher[k] = (struct matcher){ .n = 0 };
    }
}

void tsl_addedtok_destroy(struct tsl_addedtok *a)
{
    if (!a)
        return;
    matchers_fini(a);
    tsl_vocab_destroy(a->by_content);
    tsl_vocab_destroy(a->by_id);
    tsl_mem_free(a->list);
    tsl_mem_free(a->shown);
    tsl_mem_free(a);
}

int tsl_addedtok_put(struct tsl_addedtok *a, const struct tsl_addedtok_def *def,
                     struct tsl_err *err)
{
    struct tsl_addedtok_def d = *def;
    int64_t known = tsl_vocab_find(a->by_content, def->content);
    d.was_normalized = def->normalized;
    if (known >= 0) {
        struct tsl_addedtok_def *old = &a->list[known];
        d.content = old->content;
        d.id = old->id;
        d.special |= old->special;
        d.was_normalized |= old->was_normalized;
        *old = d;
    }
    if (known >= 0 || !def->content.len)
        return 0;
    int rc =
        tsl_mem_grow(&a->list, &a->cap, a->n + 1, sizeof *a->list, "added tokens", err);
    if (rc == 0)
        rc = tsl_vocab_add(a->by_id, def->id, def->content, err);
    if (rc == 0)
        rc = tsl_vocab_add(a->by_content, (uint32_t)a->n, def->content, err);
    if (rc < 0)
        return rc;
    d.content = tsl_vocab_token(a->by_content, (uint32_t)a->n);
    a->list[a->n++] = d;
    a->size = tsl_vocab_size(a->by_id);
    return 0;
}

int tsl_addedtok_add(struct tsl_addedtok *a, const struct tsl_vocab *v, size_t v_count,
                     const struct tsl_addedtok_def *def, int64_t *id, struct tsl_err *err)
{
    struct tsl_addedtok_def d = *def;
    int64_t own = v ? tsl_vocab_find(v, def->content) : TSL_VOCAB_NONE;
    const struct tsl_addedtok_def *known = tsl_addedtok_find(a, def->content);
    if (!def->content.len) {
        *id = TSL_VOCAB_NONE;
        return 0;
    }
    if (known)
        own = known->id;
    else if (own < 0)
        own = a->size > v_count ? a->size : (int64_t)v_count;
    if (own > UINT32_MAX)
        return tsl_err_set(err, TSL_EFORMAT, "no id is left for an added token");
    d.id = (uint32_t)own;
    *id = own;
    return tsl_addedtok_put(a, &d, err);
}

/* The contents of one matcher, special tokens first; equal keys must keep the first, and
 * the trie keeps the last. */
static int build_one(struct tsl_addedtok *a, int which, tsl_addedtok_normalize *normalize,
                     void *ctx, struct tsl_err *err)
{
    struct matcher *m = &a->matcher[which];
    struct tsl_slice *keys = tsl_mem_alloc(a->n + 1, sizeof *keys, "added tokens", err);
    uint32_t *values = tsl_mem_alloc(a->n + 1, sizeof *values, "added tokens", err);
    uint8_t *arena = NULL;
    size_t used = 0, cap = 0, n = 0;
    int rc = keys && values ? 0 : TSL_ENOMEM;
    for (int special = 0; rc == 0 && special < 2; special++)
        for (size_t i = a->n; rc == 0 && i-- > 0;) {
            const struct tsl_addedtok_def *d = &a->list[i];
            struct tsl_slice s = d->content;
            if (d->normalized != (which == 1) || d->special != (special == 1))
                continue;
            if (which == 1 && normalize)
                rc = normalize(ctx, s, &s, err);
            if (rc == 0)
                rc = tsl_mem_grow(&arena, &cap, used + s.len + 1, 1, "added tokens", err);
            if (rc < 0 || !s.len)
                continue; /* a content that normalises to nothing is never found */
            memcpy(arena + used, s.data, s.len);
            keys[n].len = s.len;
            values[n++] = (uint32_t)i;
            used += s.len;
        }
    used = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        keys[i].data = arena + used;
        used += keys[i].len;
        m->first[keys[i].data[0]] = true;
    }
    if (rc == 0 && n)
        rc = tsl_trie_build(&m->trie, keys, values, n, err);
    if (rc == 0)
        m->n = n;
    tsl_mem_free(keys);
    tsl_mem_free(values);
    tsl_mem_free(arena);
    return rc;
}

/* What each token is decoded to. */
static int build_shown(struct tsl_addedtok *a, tsl_addedtok_normalize *normalize,
                       void *ctx, struct tsl_err *err)
{
    uint8_t *arena = NULL;
    size_t used = 0, cap = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < a->n; i++) {
        struct tsl_addedtok_def *d = &a->list[i];
        d->shown = d->content;
        if (!d->was_normalized || !normalize)
            continue;
        rc = normalize(ctx, d->content, &d->shown, err);
        if (rc == 0)
            rc = tsl_mem_grow(&arena, &cap, used + d->shown.len + 1, 1, "added tokens",
                              err);
        if (rc < 0)
            break;
        if (d->shown.len)
            memcpy(arena + used, d->shown.data, d->shown.len);
        used += d->shown.len;
    }
    used = 0;
    for (size_t i = 0; rc == 0 && i < a->n; i++)
        if (a->list[i].was_normalized && normalize) {
            a->list[i].shown.data = arena + used;
            used += a->list[i].shown.len;
        }
    tsl_mem_free(a->shown);
    a->shown = arena;
    return rc;
}

int tsl_addedtok_build(struct tsl_addedtok *a, tsl_addedtok_normalize *normalize,
                       void *ctx, struct tsl_err *err)
{
    matchers_fini(a);
    int rc = build_one(a, 0, NULL, NULL, err);
    if (rc == 0)
        rc = build_one(a, 1, normalize, ctx, err);
    return rc < 0 ? rc : build_shown(a, normalize, ctx, err);
}

size_t tsl_addedtok_count(const struct tsl_addedtok *a)
{
    return a->n;
}

const struct tsl_addedtok_def *tsl_addedtok_at(const struct tsl_addedtok *a, size_t i)
{
    return &a->list[i];
}

const struct tsl_addedtok_def *tsl_addedtok_find(const struct tsl_addedtok *a,
                                                 struct tsl_slice content)
{
    int64_t i = tsl_vocab_find(a->by_content, content);
    return i < 0 ? NULL : &a->list[i];
}

const struct tsl_addedtok_def *tsl_addedtok_by_id(const struct tsl_addedtok *a,
                                                  uint32_t id)
{
    struct tsl_slice s = tsl_vocab_token(a->by_id, id);
    return s.data ? tsl_addedtok_find(a, s) : NULL;
}

uint32_t tsl_addedtok_size(const struct tsl_addedtok *a)
{
    return a->size;
}

bool tsl_addedtok_any(const struct tsl_addedtok *a, bool normalized)
{
    return a->matcher[normalized].n > 0;
}

void tsl_addedtok_pieces_fini(struct tsl_addedtok_pieces *p)
{
    tsl_mem_free(p->list);
    *p = (struct tsl_addedtok_pieces){ 0 };
}

static int piece(struct tsl_addedtok_pieces *p, int64_t id, size_t begin, size_t end,
                 struct tsl_err *err)
{
    int rc =
        tsl_mem_grow(&p->list, &p->cap, p->n + 1, sizeof *p->list, "pieces of text", err);
    if (rc == 0)
        p->list[p->n++] = (struct tsl_addedtok_piece){ id, begin, end };
    return rc;
}

/* Where the character that ends at i begins. */
static size_t back(struct tsl_slice s, size_t i)
{
    do
        i--;
    while (i && (s.data[i] & 0xc0) == 0x80);
    return i;
}

static uint32_t props_at(struct tsl_slice s, size_t i, size_t *len)
{
    uint32_t cp;
    *len = tsl_utf8_decode(s.data + i, s.data + s.len, &cp);
    return tsl_uniprop(cp);
}

static bool alone(struct tsl_slice s, size_t begin, size_t end)
{
    size_t n;
    if (begin && (props_at(s, back(s, begin), &n) & TSL_UNI_WORD))
        return false;
    return end == s.len || !(props_at(s, end, &n) & TSL_UNI_WORD);
}

static size_t strip_left(struct tsl_slice s, size_t i, size_t stop)
{
    size_t n;
    while (i > stop && (props_at(s, back(s, i), &n) & TSL_UNI_SPACE))
        i = back(s, i);
    return i > stop ? i : stop;
}

static size_t strip_right(struct tsl_slice s, size_t i)
{
    size_t n;
    while (i < s.len && (props_at(s, i, &n) & TSL_UNI_SPACE))
        i += n;
    return i;
}

/* The longest content at i: its index, or -1. */
static int64_t match(const struct matcher *m, struct tsl_slice s, size_t i, size_t *end)
{
    uint64_t state = tsl_trie_root(&m->trie);
    int64_t found = -1;
    while (i < s.len && tsl_trie_step(&m->trie, &state, s.data[i])) {
        int64_t value = tsl_trie_value(&m->trie, state);
        i++;
        if (value >= 0) {
            found = value;
            *end = i;
        }
    }
    return found;
}

int tsl_addedtok_split(const struct tsl_addedtok *a, bool normalized,
                       struct tsl_slice text, bool plain_specials,
                       struct tsl_addedtok_pieces *p, struct tsl_err *err)
{
    const struct matcher *m = &a->matcher[normalized];
    size_t done = 0, end = 0;
    int rc = 0;
    p->n = 0;
    for (size_t i = 0; m->n && rc == 0 && i < text.len;) {
        int64_t found = m->first[text.data[i]] ? match(m, text, i, &end) : -1;
        if (found < 0) {
            i++;
            continue;
        }
        const struct tsl_addedtok_def *d = &a->list[found];
        size_t begin = i, stop = end;
        i = end;
        if ((plain_specials && d->special) ||
            (d->single_word && !alone(text, begin, end)))
            continue;
        if (d->lstrip)
            begin = strip_left(text, begin, done);
        if (d->rstrip)
            stop = strip_right(text, stop);
        if (stop < begin)
            stop = begin; /* white space that the token before has taken */
        if (done < begin)
            rc = piece(p, TSL_VOCAB_NONE, done, begin, err);
        if (rc == 0 && begin < stop) /* else nothing is left of it: the peer drops it */
            rc = piece(p, d->id, begin, stop, err);
        done = stop;
    }
    if (rc == 0 && done < text.len)
        rc = piece(p, TSL_VOCAB_NONE, done, text.len, err);
    return rc;
}
