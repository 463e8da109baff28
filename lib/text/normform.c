#include "text/normform.h"

#include <stdbool.h>

#include <utf8proc.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "text/uniprop.h"

enum {
    FALL_MAX = TSL_NORMFORM_CHAR_MAX,
    MARK_MIN = 0x300 /* no code point below has a class or is the second of a pair */
};

struct item {
    uint32_t cp;
    int change; /* as tsl_arewrite_put takes it */
    uint8_t class;
};

struct items {
    struct item *p;
    size_t n, cap;
};

struct former {
    bool compat, compose;
    struct tsl_arewrite out;
    struct items marks, sorted; /* marks since the last starter, to be put in order */

    /* The composing half: a starter, and the marks behind it that did not join. */
    bool has_starter;
    struct item starter;
    int last_class; /* of behind's last; -1: none */
    struct items behind;
    struct tsl_err *err;
};

static int push(struct items *a, struct item x, struct tsl_err *err)
{
    int rc = tsl_mem_grow(&a->p, &a->cap, a->n + 1, sizeof *a->p, "combining marks", err);
    if (rc < 0)
        return rc;
    a->p[a->n++] = x;
    return 0;
}

static uint8_t class_of(uint32_t cp)
{
    if (cp < MARK_MIN || !(tsl_uniprop(cp) & TSL_UNI_CLASS))
        return 0;
    return (uint8_t)utf8proc_get_property((utf8proc_int32_t)cp)->combining_class;
}

/* The composite of a and b, or 0. */
static uint32_t composite(uint32_t a, uint32_t b)
{
    utf8proc_int32_t pair[2] = { (utf8proc_int32_t)a, (utf8proc_int32_t)b };
    /* U+11A7 is one before the first final consonant: utf8proc 2.8 takes it for an empty one */
    if (b < MARK_MIN || b == 0x11a7)
        return 0;
    if (utf8proc_normalize_utf32(pair, 2, UTF8PROC_COMPOSE | UTF8PROC_STABLE) != 1)
        return 0;
    return tsl_uniprop((uint32_t)pair[0]) & TSL_UNI_FALLS ? (uint32_t)pair[0] : 0;
}

static int put(struct former *f, struct item x)
{
    return tsl_arewrite_put(&f->out, x.cp, x.change, f->err);
}

static int put_starter(struct former *f)
{
    int rc = f->has_starter ? put(f, f->starter) : 0;
    for (size_t i = 0; rc == 0 && i < f->behind.n; i++)
        rc = put(f, f->behind.p[i]);
    f->has_starter = false;
    f->behind.n = 0;
    f->last_class = -1;
    return rc;
}

/* Takes the next item in canonical order. */
static int compose(struct former *f, struct item x)
{
    if (!f->compose)
        return put(f, x);
    if (f->has_starter && f->last_class < x.class) {
        uint32_t cp = composite(f->starter.cp, x.cp);
        if (cp) {
            /* One character less than both had; where x is the next one in the source,
             * that is the one removed. */
            f->starter.cp = cp;
            f->starter.change += x.change - 1;
            return 0;
        }
    }
    if (x.class == 0) {
        int rc = put_starter(f);
        f->starter = x;
        f->has_starter = true;
        return rc;
    }
    if (!f->has_starter)
        return put(f, x);
    f->last_class = x.class;
    return push(&f->behind, x, f->err);
}

/* Passes the marks on, in the order of their classes; equal ones stay as they were. */
static int flush_marks(struct former *f)
{
    size_t at[257] = { 0 };
    int rc = 0;
    if (f->marks.n > 1) {
        rc = tsl_mem_grow(&f->sorted.p, &f->sorted.cap, f->marks.n, sizeof *f->sorted.p,
                          "combining marks", f->err);
        if (rc < 0)
            return rc;
        for (size_t i = 0; i < f->marks.n; i++)
            at[f->marks.p[i].class + 1]++;
        for (size_t i = 1; i < 257; i++)
            at[i] += at[i - 1];
        for (size_t i = 0; i < f->marks.n; i++)
            f->sorted.p[at[f->marks.p[i].class]++] = f->marks.p[i];
        struct items swap = f->sorted;
        swap.n = f->marks.n;
        f->sorted = f->marks;
        f->marks = swap;
    }
    for (size_t i = 0; rc == 0 && i < f->marks.n; i++)
        rc = compose(f, f->marks.p[i]);
    f->marks.n = 0;
    return rc;
}

static int order(struct former *f, struct item x)
{
    if (x.class != 0)
        return push(&f->marks, x, f->err);
    int rc = f->marks.n > 0 ? flush_marks(f) : 0;
    return rc < 0 ? rc : compose(f, x);
}

static int decompose(struct former *f, uint32_t cp)
{
    if (!(tsl_uniprop(cp) & TSL_UNI_FALLS))
        return order(f, (struct item){ cp, 0, class_of(cp) });
    utf8proc_int32_t fall[FALL_MAX];
    int boundary = 0, flags = UTF8PROC_DECOMPOSE | (f->compat ? UTF8PROC_COMPAT : 0);
    utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)cp, fall, FALL_MAX,
                                                 (utf8proc_option_t)flags, &boundary);
    int rc = 0;
    for (utf8proc_ssize_t i = 0; rc == 0 && i < n && i < FALL_MAX; i++) {
        uint32_t to = (uint32_t)fall[i];
        rc = order(f, (struct item){ to, i > 0, class_of(to) });
    }
    return rc;
}

int tsl_normform_apply(enum tsl_normform form, const struct tsl_atext *from,
                       struct tsl_atext *to, struct tsl_err *err)
{
    struct former f = { .compat = form == TSL_NFKC || form == TSL_NFKD,
                        .compose = form == TSL_NFC || form == TSL_NFKC,
                        .last_class = -1,
                        .err = err };
    tsl_arewrite_begin(&f.out, from, to);
    if (from->len == 0)
        return 0;
    const uint8_t *p = from->bytes, *end = p + from->len;
    int rc = 0;
    while (rc == 0 && p < end) {
        uint32_t cp;
        p += tsl_utf8_decode(p, end, &cp);
        rc = decompose(&f, cp);
    }
    if (rc == 0)
        rc = flush_marks(&f);
    if (rc == 0)
        rc = put_starter(&f);
    tsl_mem_free(f.marks.p);
    tsl_mem_free(f.sorted.p);
    tsl_mem_free(f.behind.p);
    return rc;
}

/* ---- single characters ---- */

/* What Unicode 13 has and Unicode 12 has not. */
static bool falls_13(uint32_t cp)
{
    return cp == 0x32ff || cp == 0xab69 || cp == 0x11938 || cp == 0x1f16c ||
           (cp >= 0x1fbf0 && cp <= 0x1fbf9);
}

size_t tsl_normform_fall(uint32_t cp, uint32_t out[TSL_NORMFORM_CHAR_MAX])
{
    utf8proc_int32_t fall[FALL_MAX];
    int boundary = 0;
    if (!(tsl_uniprop(cp) & TSL_UNI_FALLS) && !falls_13(cp))
        return 0;
    utf8proc_ssize_t n =
        utf8proc_decompose_char((utf8proc_int32_t)cp, fall, FALL_MAX,
                                UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, &boundary);
    if (n < 1 || n > FALL_MAX)
        return 0;
    for (utf8proc_ssize_t i = 0; i < n; i++)
        out[i] = (uint32_t)fall[i];
    return (size_t)n;
}

size_t tsl_normform_compose(uint32_t *cp, size_t n)
{
    utf8proc_int32_t all[FALL_MAX];
    for (size_t i = 0; i < n; i++)
        all[i] = (utf8proc_int32_t)cp[i];
    utf8proc_ssize_t left = utf8proc_normalize_utf32(all, (utf8proc_ssize_t)n,
                                                     UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    for (utf8proc_ssize_t i = 0; i < left; i++)
        cp[i] = (uint32_t)all[i];
    return (size_t)left;
}

/* ---- grapheme clusters ------------------------------------------------------------------ */

/* What UAX 29 asks of a character.  The peer's tables (Unicode 17) know what stays with
 * what; for the shape of Hangul syllables and of flags, which no longer change, the
 * library's are as good. */
enum gclass {
    G_OTHER,
    G_CR,
    G_LF,
    G_CONTROL,
    G_EXTEND,
    G_SPACING,
    G_ZWJ,
    G_PREPEND,
    G_PICTURE,
    G_FLAG,
    G_L,
    G_V,
    G_T,
    G_LV,
    G_LVT
};

static enum gclass gclass_of(uint32_t cp)
{
    if (cp < 0x80)
        return cp == '\r'                ? G_CR
               : cp == '\n'              ? G_LF
               : cp < 0x20 || cp == 0x7f ? G_CONTROL
                                         : G_OTHER;
    uint32_t is = tsl_uniprop(cp);
    int bound = utf8proc_get_property((utf8proc_int32_t)cp)->boundclass;
    if (cp == 0x200d)
        return G_ZWJ;
    if (is & TSL_UNI_EXTEND)
        return bound == UTF8PROC_BOUNDCLASS_SPACINGMARK ? G_SPACING : G_EXTEND;
    if (is & TSL_UNI_PREPEND)
        return G_PREPEND;
    if (is & TSL_UNI_PICTURE)
        return G_PICTURE;
    if ((is & TSL_UNI_CONTROL) || (cp > 0xffff && bound == UTF8PROC_BOUNDCLASS_CONTROL))
        return G_CONTROL;
    switch (bound) {
    case UTF8PROC_BOUNDCLASS_REGIONAL_INDICATOR: return G_FLAG;
    case UTF8PROC_BOUNDCLASS_L: return G_L;
    case UTF8PROC_BOUNDCLASS_V: return G_V;
    case UTF8PROC_BOUNDCLASS_T: return G_T;
    case UTF8PROC_BOUNDCLASS_LV: return G_LV;
    case UTF8PROC_BOUNDCLASS_LVT: return G_LVT;
    default: return G_OTHER;
    }
}

/* Do a and b, side by side, stay together?  picture: Extended_Pictographic Extend* went
 * before a; flags: how many flag letters the cluster ends with. */
static bool stays(enum gclass a, enum gclass b, bool picture, size_t flags)
{
    if (a == G_CR)
        return b == G_LF;
    if (a == G_LF || a == G_CONTROL || b == G_CR || b == G_LF || b == G_CONTROL)
        return false;
    if (b == G_EXTEND || b == G_SPACING || b == G_ZWJ || a == G_PREPEND)
        return true;
    if (a == G_ZWJ && b == G_PICTURE)
        return picture;
    if (a == G_FLAG && b == G_FLAG)
        return flags % 2 == 1;
    if (a == G_L)
        return b == G_L || b == G_V || b == G_LV || b == G_LVT;
    if (a == G_LV || a == G_V)
        return b == G_V || b == G_T;
    return (a == G_LVT || a == G_T) && b == G_T;
}

size_t tsl_normform_grapheme(const uint8_t *p, size_t len)
{
    const uint8_t *to = p, *end = p + len;
    bool picture = false, picture_joined = false;
    size_t flags = 0;
    uint32_t cp;
    to += tsl_utf8_decode(to, end, &cp);
    /* The common case, and no table needed: two of ASCII that are not both line ends. */
    if (cp < 0x80 && to < end && *to < 0x80 && cp != '\r')
        return 1;
    for (enum gclass a = gclass_of(cp), b; to < end; a = b) {
        picture_joined = a == G_ZWJ && picture;
        picture = a == G_PICTURE || (picture && a == G_EXTEND);
        flags = a == G_FLAG ? flags + 1 : 0;
        size_t n = tsl_utf8_decode(to, end, &cp);
        b = gclass_of(cp);
        if (!stays(a, b, picture_joined, flags))
            break;
        to += n;
    }
    return (size_t)(to - p);
}
