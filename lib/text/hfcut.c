#include "text/hfcut.h"

#include <string.h>

#include "base/mem.h"

static const struct tsl_slice blank = { (const uint8_t *)" ", 1 };
static const struct tsl_slice underline = { (const uint8_t *)"\xe2\x96\x81", 3 };

static bool letter(uint8_t c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool holds(struct tsl_slice s, struct tsl_slice what)
{
    return s.len >= what.len && memmem(s.data, s.len, what.data, what.len);
}

static bool begins(struct tsl_slice s, struct tsl_slice with)
{
    return s.len >= with.len && memcmp(s.data, with.data, with.len) == 0;
}

/* A letter and what directly behind it. */
static bool holds_behind_letter(struct tsl_slice s, struct tsl_slice what)
{
    for (size_t i = 1; i + what.len <= s.len; i++)
        if (letter(s.data[i - 1]) && memcmp(s.data + i, what.data, what.len) == 0)
            return true;
    return false;
}

struct trial {
    const struct tsl_hfpipe *p;
    struct tsl_atext text, scratch, all;
    struct tsl_slice space; /* what a blank becomes */
};

static int normalize(struct trial *t, const char *s, size_t n, struct tsl_atext *to,
                     struct tsl_err *err)
{
    int rc = tsl_atext_set(&t->text, (struct tsl_slice){ (const uint8_t *)s, n }, err);
    if (rc == 0)
        rc = tsl_normalizer_go_on(t->p->normalizer, &t->text, &t->scratch, err);
    tsl_atext_reset(to);
    return rc < 0 ? rc : tsl_atext_copy(to, &t->text, 0, t->text.len, err);
}

/* "x y" must be what "x", a blank and "y" are, and letters must not become blanks: 1, 0. */
static int try_pair(struct trial *t, char x, char y, struct tsl_err *err)
{
    const char s[3] = { x, ' ', y };
    struct tsl_atext part;
    tsl_atext_init(&part);
    int rc = normalize(t, s, 3, &t->all, err);
    bool good = true;
    size_t at = 0;
    for (size_t i = 0; rc == 0 && good && i < 3; i += 2) {
        rc = normalize(t, s + i, 1, &part, err);
        struct tsl_slice l = { part.bytes, part.len },
                         rest = { t->all.bytes + at, t->all.len - at };
        good = rc == 0 && l.len && !holds(l, blank) && !holds(l, underline) &&
               begins(rest, l);
        at += l.len;
        if (good && i == 0) {
            rest = (struct tsl_slice){ t->all.bytes + at, t->all.len - at };
            good = begins(rest, t->space);
            at += t->space.len;
        }
    }
    tsl_atext_fini(&part);
    return rc < 0 ? rc : good && at == t->all.len;
}

/* What a blank between letters becomes: " " or U+2581 (*space); data NULL: it depends. */
static int try_letters(const struct tsl_hfpipe *p, struct tsl_slice *space,
                       struct tsl_err *err)
{
    struct trial t = { .p = p };
    int rc = 0;
    *space = (struct tsl_slice){ NULL, 0 };
    tsl_atext_init(&t.text);
    tsl_atext_init(&t.scratch);
    tsl_atext_init(&t.all);
    rc = normalize(&t, "a a", 3, &t.all, err);
    t.space = holds((struct tsl_slice){ t.all.bytes, t.all.len }, underline) ? underline
                                                                             : blank;
    int good = 1;
    for (int i = 0; rc == 0 && good == 1 && i < 52; i++) {
        char c = (char)(i < 26 ? 'a' + i : 'A' + i - 26);
        good = try_pair(&t, c, 'a', err);
        if (good == 1)
            good = try_pair(&t, 'a', c, err);
        rc = good < 0 ? good : 0;
    }
    if (rc == 0 && good == 1)
        *space = t.space;
    tsl_atext_fini(&t.text);
    tsl_atext_fini(&t.scratch);
    tsl_atext_fini(&t.all);
    return rc;
}

/* No added token looks across the cut. */
static bool added_stay_apart(const struct tsl_hfpipe *p)
{
    for (size_t i = 0; i < tsl_addedtok_count(p->added); i++) {
        const struct tsl_addedtok_def *d = tsl_addedtok_at(p->added, i);
        struct tsl_slice s[2] = { d->content, d->shown };
        for (int k = 0; k < 2; k++)
            if (holds_behind_letter(s[k], blank) ||
                holds_behind_letter(s[k], underline) ||
                (d->rstrip && s[k].len && letter(s[k].data[s[k].len - 1])) ||
                (d->single_word && (begins(s[k], blank) || begins(s[k], underline))))
                return false;
    }
    return true;
}

/* BPE of the whole is BPE of the parts: no token goes across, and what stands on either side
 * is known, so that nothing is fused. */
static bool merges_stay_apart(const struct tsl_hfpipe *p)
{
    if (p->model != TSL_HFPIPE_BPE || p->prefix.len || p->suffix.len || !p->metaspace ||
        p->bpe_opts.dropout > 0 || tsl_vocab_find(p->vocab, underline) < 0)
        return false;
    for (uint8_t c = 'A'; c <= 'z'; c++)
        if (letter(c) && tsl_vocab_find(p->vocab, (struct tsl_slice){ &c, 1 }) < 0)
            return false;
    for (uint32_t id = 0; id < tsl_vocab_size(p->vocab); id++)
        if (holds_behind_letter(tsl_vocab_token(p->vocab, id), underline))
            return false;
    return true;
}

int tsl_hfcut_can(const struct tsl_hfpipe *p, bool *can, size_t *behind,
                  struct tsl_err *err)
{
    struct tsl_slice space = { NULL, 0 };
    *can = false;
    *behind = p->vocab ? tsl_vocab_longest(p->vocab) + 2 : 2;
    if (!tsl_normalizer_is_local(p->normalizer) || !added_stay_apart(p))
        return 0;
    int rc = try_letters(p, &space, err);
    if (rc < 0 || !space.data)
        return rc;
    switch (tsl_pretok_at_blank(p->pretok, space.len > 1)) {
    case TSL_PRETOK_CUTS: *can = true; break;
    case TSL_PRETOK_STAYS: *can = merges_stay_apart(p); break;
    case TSL_PRETOK_UNKNOWN: break;
    }
    return 0;
}

size_t tsl_hfcut_last(struct tsl_slice text, size_t behind)
{
    for (size_t i = text.len > behind ? text.len - behind : 0; i > 1; i--)
        if (text.data[i] == ' ' && letter(text.data[i - 1]) && letter(text.data[i + 1]))
            return i;
    return 0;
}
