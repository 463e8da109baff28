#include "text/postproc.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "text/uniprop.h"

static int push(struct tsl_postproc_list *l, struct tsl_postproc_piece piece,
                struct tsl_err *err)
{
    int rc =
        tsl_mem_grow(&l->list, &l->cap, l->n + 1, sizeof *l->list, "a template", err);
    if (rc < 0)
        return rc;
    l->list[l->n++] = piece;
    l->nids += piece.kind == TSL_POSTPROC_ID;
    return 0;
}

int tsl_postproc_init(struct tsl_postproc *p, struct tsl_err *err)
{
    int rc = 0;
    *p = (struct tsl_postproc){ .ntrims = 0 };
    for (int pair = 0; pair < 2; pair++)
        for (int special = 0; special < 2; special++) {
            struct tsl_postproc_list *l = &p->lists[pair][special];
            l->nparts = (uint8_t)(1 + pair);
            if (rc == 0)
                rc = push(l, (struct tsl_postproc_piece){ .kind = TSL_POSTPROC_FIRST },
                          err);
            if (rc == 0 && pair)
                rc = push(l,
                          (struct tsl_postproc_piece){ .kind = TSL_POSTPROC_SECOND,
                                                       .type_id = 1,
                                                       .type_rest = 1,
                                                       .part = 1 },
                          err);
        }
    if (rc < 0)
        tsl_postproc_fini(p);
    return rc;
}

void tsl_postproc_fini(struct tsl_postproc *p)
{
    for (int i = 0; i < 4; i++)
        tsl_mem_free(p->lists[i / 2][i % 2].list);
    for (size_t i = 0; i < p->nnames; i++)
        tsl_mem_free((void *)(uintptr_t)p->names[i].data);
    tsl_mem_free(p->names);
    *p = (struct tsl_postproc){ .ntrims = 0 };
}

int tsl_postproc_name(struct tsl_postproc *p, struct tsl_slice text, uint16_t *name,
                      struct tsl_err *err)
{
    size_t i = 0;
    while (i < p->nnames && (p->names[i].len != text.len ||
                             (text.len && memcmp(p->names[i].data, text.data, text.len))))
        i++;
    *name = (uint16_t)(i + 1);
    if (i < p->nnames)
        return 0;
    if (i + 1 >= TSL_TOKENS_NAMES)
        return tsl_err_set(err, TSL_EFORMAT, "more than %d names of special tokens",
                           TSL_TOKENS_NAMES - 1);
    int rc = tsl_mem_grow(&p->names, &p->names_cap, i + 1, sizeof *p->names, "a template",
                          err);
    uint8_t *copy = rc == 0 ? tsl_mem_alloc(text.len + 1, 1, "a template", err) : NULL;
    if (!copy)
        return TSL_ENOMEM;
    if (text.len)
        memcpy(copy, text.data, text.len);
    p->names[p->nnames++] = (struct tsl_slice){ copy, text.len };
    return 0;
}

static bool is_spelled(const struct tsl_postproc *p, uint16_t name, struct tsl_slice s)
{
    struct tsl_slice n = name ? p->names[name - 1] : s;
    return s.data && n.len == s.len && (!s.len || memcmp(n.data, s.data, s.len) == 0);
}

void tsl_postproc_forget(struct tsl_postproc *p, struct tsl_padding *pad,
                         struct tsl_slice (*spell)(const void *ctx, uint32_t id),
                         const void *ctx)
{
    if (is_spelled(p, pad->name, spell(ctx, pad->id)))
        pad->name = 0;
    p->named = pad->name;
    for (int k = 0; k < 4; k++)
        for (size_t i = 0; i < p->lists[k / 2][k % 2].n; i++) {
            struct tsl_postproc_piece *piece = &p->lists[k / 2][k % 2].list[i];
            if (piece->name && is_spelled(p, piece->name, spell(ctx, piece->id)))
                piece->name = 0;
            p->named = p->named || piece->name;
        }
}

struct tsl_slice tsl_postproc_named(const struct tsl_postproc *p,
                                    const struct tsl_tokens *t, size_t i)
{
    uint32_t name = t->want & TSL_WANT_TEXTS ? UINT32_MAX - t->texts[i] : UINT32_MAX;
    return name - 1 < p->nnames ? p->names[name - 1] : (struct tsl_slice){ NULL, 0 };
}

static struct tsl_postproc_piece special(struct tsl_postproc_token t, uint8_t type_id,
                                         uint8_t part)
{
    return (struct tsl_postproc_piece){ .kind = TSL_POSTPROC_ID,
                                        .id = t.id,
                                        .name = t.name,
                                        .type_id = type_id,
                                        .type_rest = type_id,
                                        .part = part };
}

/* Puts before (NULL: nothing) and after around the parts: first, then the others. */
static int surround(struct tsl_postproc_list *l,
                    const struct tsl_postproc_token *const before[2],
                    struct tsl_postproc_token after, const uint8_t type_ids[2],
                    struct tsl_err *err)
{
    struct tsl_postproc_list made = { .nparts = l->nparts,
                                      .added = l->added,
                                      .too_many = l->too_many };
    int rc = 0;
    size_t i = 0;
    for (uint8_t part = 0; rc == 0 && part < l->nparts; part++) {
        int k = part > 0;
        if (before[k])
            rc = push(&made, special(*before[k], type_ids[k], part), err);
        for (; rc == 0 && i < l->n && l->list[i].part == part; i++)
            rc = push(&made, l->list[i], err);
        if (rc == 0)
            rc = push(&made, special(after, type_ids[k], part), err);
    }
    tsl_mem_free(rc == 0 ? l->list : made.list);
    if (rc == 0)
        *l = made;
    return rc;
}

int tsl_postproc_bert(struct tsl_postproc *p, struct tsl_postproc_token cls,
                      struct tsl_postproc_token sep, struct tsl_err *err)
{
    static const uint8_t type_ids[2] = { 0, 1 };
    const struct tsl_postproc_token *const before[2] = { &cls, NULL };
    p->lists[0][1].added += 2;
    p->lists[1][1].added += 3;
    int rc = surround(&p->lists[0][1], before, sep, type_ids, err);
    return rc < 0 ? rc : surround(&p->lists[1][1], before, sep, type_ids, err);
}

int tsl_postproc_byte_level(struct tsl_postproc *p, bool trim_offsets,
                            bool add_prefix_space, struct tsl_err *err)
{
    if (!trim_offsets)
        return 0;
    if (p->ntrims == TSL_POSTPROC_TRIMS)
        return tsl_err_set(err, TSL_EFORMAT, "more than %d post-processors that trim",
                           TSL_POSTPROC_TRIMS);
    p->trim_prefix[p->ntrims++] = add_prefix_space;
    return 0;
}

int tsl_postproc_roberta(struct tsl_postproc *p, struct tsl_postproc_token cls,
                         struct tsl_postproc_token sep, bool trim_offsets,
                         bool add_prefix_space, struct tsl_err *err)
{
    static const uint8_t type_ids[2] = { 0, 0 };
    const struct tsl_postproc_token *const before[2] = { &cls, &sep };
    p->lists[0][1].added += 2;
    p->lists[1][1].added += 4;
    int rc = tsl_postproc_byte_level(p, trim_offsets, add_prefix_space, err);
    for (int pair = 0; rc == 0 && pair < 2; pair++) {
        for (int with = 0; with < 2; with++)
            for (size_t i = 0; i < p->lists[pair][with].n; i++) {
                struct tsl_postproc_piece *piece = &p->lists[pair][with].list[i];
                piece->type_id = 0;
                if (with)
                    piece->type_rest = 0;
            }
        rc = surround(&p->lists[pair][1], before, sep, type_ids, err);
    }
    return rc;
}

/* The template over parts, each of which may be a list by now. */
static int fill(struct tsl_postproc_list *l, const struct tsl_postproc_piece *t, size_t n,
                bool with, struct tsl_err *err)
{
    struct tsl_postproc_list made = { .added = l->added, .too_many = l->too_many };
    int rc = 0;
    for (size_t k = 0; rc == 0 && k < n; k++) {
        bool token = t[k].kind >= TSL_POSTPROC_ID;
        if (token && !with)
            continue;
        if (!t[k].more && made.nparts++ == UINT8_MAX)
            rc = tsl_err_set(err, TSL_EFORMAT, "a template of more than %d pieces",
                             UINT8_MAX);
        uint8_t part = (uint8_t)(made.nparts - 1);
        if (rc == 0 && t[k].kind == TSL_POSTPROC_ID)
            rc = push(&made,
                      special((struct tsl_postproc_token){ t[k].id, t[k].name },
                              t[k].type_id, part),
                      err);
        if (token)
            continue;
        for (size_t i = 0; rc == 0 && i < l->n; i++) {
            struct tsl_postproc_piece piece = l->list[i];
            if (piece.part != (t[k].kind == TSL_POSTPROC_SECOND))
                continue;
            piece.part = part;
            piece.type_id = t[k].type_id;
            rc = push(&made, piece, err);
        }
    }
    tsl_mem_free(rc == 0 ? l->list : made.list);
    if (rc == 0)
        *l = made;
    return rc;
}

static size_t count_ids(const struct tsl_postproc_piece *t, size_t n)
{
    size_t ids = 0;
    for (size_t i = 0; i < n; i++)
        ids += t[i].kind == TSL_POSTPROC_ID;
    return ids;
}

int tsl_postproc_template(struct tsl_postproc *p, const struct tsl_postproc_piece *single,
                          size_t nsingle, const struct tsl_postproc_piece *pair,
                          size_t npair, struct tsl_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < nsingle; i++)
        if (single[i].kind == TSL_POSTPROC_SECOND)
            return tsl_err_set(err, TSL_EFORMAT,
                               "the template for a single text has a second one");
    p->lists[0][1].added += count_ids(single, nsingle);
    p->lists[1][1].added += count_ids(pair, npair);
    for (int k = 0; rc == 0 && k < 4; k++) {
        struct tsl_postproc_list *l = &p->lists[k / 2][k % 2];
        if (l->nparts != 1 && l->nparts != 2) {
            l->too_many = l->nparts;
            continue;
        }
        rc = l->nparts == 1 ? fill(l, single, nsingle, k % 2, err)
                            : fill(l, pair, npair, k % 2, err);
    }
    return rc;
}

size_t tsl_postproc_added(const struct tsl_postproc *p, bool pair)
{
    return p->lists[pair][1].added;
}

/* ---- spans ---------------------------------------------------------------------------- */

static bool is_space(uint32_t cp)
{
    return cp == 0x120 || (tsl_uniprop(cp) & TSL_UNI_WHITE);
}

static size_t leading(struct tsl_slice s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; n++) {
        uint32_t cp;
        i += tsl_utf8_decode(s.data + i, s.data + s.len, &cp);
        if (!is_space(cp))
            break;
    }
    return n;
}

/* Where the character that ends at i (or has byte i) begins; what is ill-formed counts as
 * the pieces that decoding takes it in. */
static size_t before(struct tsl_slice s, size_t i)
{
    size_t from = i - 1;
    uint32_t cp;
    while (from && (s.data[from] & 0xc0) == 0x80)
        from--;
    return from + tsl_utf8_decode(s.data + from, s.data + s.len, &cp) < i ? i - 1 : from;
}

static size_t trailing(struct tsl_slice s)
{
    size_t n = 0;
    for (size_t i = s.len; i; n++) {
        uint32_t cp;
        i = before(s, i);
        tsl_utf8_decode(s.data + i, s.data + s.len, &cp);
        if (!is_space(cp))
            break;
    }
    return n;
}

void tsl_postproc_trim(const struct tsl_postproc *p, struct tsl_slice token, bool start,
                       bool first, struct tsl_slice text, uint32_t *begin, uint32_t *end)
{
    size_t lead = p->ntrims ? leading(token) : 0;
    size_t trail = p->ntrims ? trailing(token) : 0;
    for (unsigned k = 0; k < p->ntrims; k++) {
        size_t n = lead, b = *begin, e = *end;
        /* more than the one blank that was put in front were there before */
        if (n == 1 && (first || (start && b == 0)) && p->trim_prefix[k])
            n = 0;
        for (; n && b < e; n--) {
            uint32_t cp;
            b += tsl_utf8_decode(text.data + b, text.data + text.len, &cp);
        }
        if (b > e)
            b = e;
        size_t back = e;
        for (n = trail; n && back; n--)
            back = before(text, back);
        if (!n) /* else there are fewer characters before: the peer leaves it */
            e = back > b ? back : b;
        *begin = (uint32_t)b;
        *end = (uint32_t)e;
    }
}

void tsl_postproc_trim_noted(const struct tsl_postproc *p, struct tsl_slice token,
                             bool start, bool first, struct tsl_slice text,
                             uint32_t *begin, uint32_t *end, uint8_t *marks)
{
    uint32_t b = *begin, e = *end;
    tsl_postproc_trim(p, token, start, first, text, begin, end);
    if (first || !marks)
        return;
    tsl_postproc_trim(p, token, start, true, text, &b, &e);
    uint32_t more = *begin - b;
    *marks |= (uint8_t)((more < 16 ? more : 0) * TSL_TOKEN_TRIMMED);
    if (more && e != *end)
        *marks |= TSL_TOKEN_TRIMMED_END;
}

/* The span of a token that is the first by now; its marks lose what was noted. */
static void trim_as_first(uint32_t *begin, uint32_t *end, uint8_t *marks)
{
    *begin -= (*marks & (TSL_TOKEN_TRIMMED_END - 1)) / TSL_TOKEN_TRIMMED;
    if (*marks & TSL_TOKEN_TRIMMED_END)
        *end = *begin;
    *marks &= TSL_TOKEN_TRIMMED - 1;
}

/* Tokens [from, out->n) are what is left of a text. */
static void trim_again(struct tsl_tokens *out, size_t from)
{
    if (!(out->want & TSL_WANT_MARKS) || !(out->want & TSL_WANT_SPANS) || from >= out->n)
        return;
    trim_as_first(&out->begin[from], &out->end[from], &out->marks[from]);
    for (size_t i = from + 1; i < out->n; i++)
        out->marks[i] &= TSL_TOKEN_TRIMMED - 1;
}

/* ---- truncation ----------------------------------------------------------------------- */

/* Tokens that are left of each text; stays where nothing is to be cut. */
static int plan(const struct tsl_postproc *p, const struct tsl_postproc_opts *o,
                size_t keep[2], bool pair, struct tsl_err *err)
{
    const struct tsl_truncation *t = o->truncation;
    const struct tsl_postproc_list *l = &p->lists[pair][!o->plain];
    if (l->too_many)
        return tsl_err_set(err, TSL_EUSAGE,
                           "a template behind another one that leaves %d encodings, "
                           "neither one nor two",
                           l->too_many);
    size_t max, remove, added = o->plain ? 0 : tsl_postproc_added(p, pair);
    const size_t len[2] = { keep[0], keep[1] };
    if (!t)
        return 0;
    if (t->max_length < added)
        return tsl_err_set(err, TSL_EUSAGE,
                           "truncation to %zu tokens leaves no room for %zu special ones",
                           t->max_length, added);
    max = t->max_length - added;
    if (max == 0)
        keep[0] = keep[1] = 0;
    if (max == 0 || keep[0] + keep[1] <= max)
        return 0;
    remove = keep[0] + keep[1] - max;
    if (t->strategy != TSL_TRUNCATE_LONGEST_FIRST) {
        int k = t->strategy == TSL_TRUNCATE_ONLY_SECOND;
        if (k && !pair)
            return tsl_err_set(err, TSL_EUSAGE,
                               "truncation of the second text, but there is none");
        if (keep[k] <= remove)
            return tsl_err_set(err, TSL_EUSAGE,
                               "truncation to %zu tokens: the %s text is too short to "
                               "take all of it from",
                               t->max_length, k ? "second" : "first");
        keep[k] -= remove;
    } else if (!pair) {
        keep[0] = max;
    } else {
        int swap = keep[0] > keep[1];
        size_t n1 = keep[swap], n2 = keep[!swap];
        if (n1 > max)
            n2 = n1;
        else
            n2 = n1 > max - n1 ? n1 : max - n1;
        if (n1 + n2 > max) {
            n1 = max / 2;
            n2 = n1 + max % 2;
        }
        keep[swap] = n1;
        keep[!swap] = n2;
    }
    for (int k = 0; k < 2; k++)
        if (keep[k] > len[k])
            keep[k] = len[k];
    for (int k = 0; k < 2; k++)
        if (keep[k] && keep[k] < len[k] && t->stride >= keep[k])
            return tsl_err_set(err, TSL_EUSAGE,
                               "truncation: a stride of %zu, but only %zu tokens of the "
                               "%s text are left",
                               t->stride, keep[k], k ? "second" : "first");
    return 0;
}

/* The token behind the piece that begins at i (marks: NULL where each is one). */
static size_t piece_end(const uint8_t *marks, size_t n, size_t i)
{
    for (i++; marks && i < n && !(marks[i] & TSL_TOKEN_WORD_START);)
        i++;
    return i;
}

/* How many tokens 0.23.2 has made of t when it stops.  It looks at the number only behind a
 * piece that it had to tokenize: an added token comes as one. */
static size_t made_right(const struct tsl_tokens *t, const uint8_t *marks, size_t max)
{
    size_t i = 0;
    while (i < t->n) {
        bool added = marks && marks[i] & TSL_TOKEN_SPECIAL;
        i = piece_end(marks, t->n, i);
        if (i >= max && !added)
            break;
    }
    return i;
}

static size_t made_left(const struct tsl_tokens *t, const uint8_t *marks, size_t max)
{
    size_t i = t->n;
    while (i > 0) {
        for (i--; marks && i > 0 && !(marks[i] & TSL_TOKEN_WORD_START);)
            i--;
        if (t->n - i >= max && !(marks && marks[i] & TSL_TOKEN_SPECIAL))
            break;
    }
    return t->n - i;
}

/* What there is of t, the first text or (first: that one) the second, to be cut: see
 * tsl_postproc_wrap.  A text that is not to be cut at all is there as a whole, but for a
 * second behind an empty first. */
static struct tsl_tokens made(const struct tsl_tokens *t, const struct tsl_tokens *first,
                              const struct tsl_postproc_opts *o)
{
    static const struct tsl_tokens none = { .n = 0 };
    struct tsl_tokens v = t ? *t : none;
    const uint8_t *marks = v.want & TSL_WANT_MARKS ? v.marks : NULL;
    if (!o->truncation || o->one_piece || v.n <= o->truncation->max_length ||
        (!first && o->truncation->strategy == TSL_TRUNCATE_ONLY_SECOND) ||
        (first && first->n && o->truncation->strategy == TSL_TRUNCATE_ONLY_FIRST))
        return v;
    if (!o->truncation->left) {
        v.n = made_right(t, marks, o->truncation->max_length);
        return v;
    }
    v.n = made_left(t, marks, o->truncation->max_length);
    return tsl_tokens_view(t, t->n - v.n, t->n);
}

static size_t padded(const struct tsl_padding *pad, size_t n)
{
    size_t to = pad->fixed ? pad->fixed : n;
    if (pad->multiple && to % pad->multiple)
        to += pad->multiple - to % pad->multiple;
    return to > n ? to - n : 0;
}

/* ---- flat ----------------------------------------------------------------------------- */

static void put_ids(struct tsl_tokens *out, uint32_t id, uint16_t name, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        out->ids[out->n] = id;
        if (out->want & TSL_WANT_SPANS)
            out->begin[out->n] = out->end[out->n] = 0;
        if (out->want & TSL_WANT_MARKS)
            out->marks[out->n] = TSL_TOKEN_SPECIAL;
        if (out->want & TSL_WANT_TEXTS)
            out->texts[out->n] = name ? UINT32_MAX - name : 0;
        out->n++;
    }
}

int tsl_postproc_wrap(const struct tsl_postproc *p, const struct tsl_tokens *a,
                      const struct tsl_tokens *b, const struct tsl_postproc_opts *o,
                      struct tsl_tokens *out, uint8_t **type_ids, size_t *type_cap,
                      struct tsl_err *err)
{
    const struct tsl_postproc_list *l = &p->lists[b != NULL][!o->plain];
    const struct tsl_tokens texts[2] = { made(a, NULL, o), made(b, a, o) };
    size_t keep[2] = { texts[0].n, texts[1].n }, n = l->nids, pad = 0;
    int rc = plan(p, o, keep, b, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < l->n; i++)
        if (l->list[i].kind != TSL_POSTPROC_ID)
            n += keep[l->list[i].kind == TSL_POSTPROC_SECOND];
    if (o->padding)
        pad = padded(o->padding, n);
    rc = tsl_tokens_reserve(out, n + pad, err);
    if (rc == 0 && type_ids)
        rc = tsl_mem_grow(type_ids, type_cap, out->n + n + pad, 1, "type ids", err);
    if (rc < 0)
        return rc;
    if (pad && o->padding->left) {
        if (type_ids)
            memset(*type_ids + out->n, o->padding->type_id, pad);
        put_ids(out, o->padding->id, o->padding->name, pad);
    }
    for (size_t i = 0; i < l->n; i++) {
        const struct tsl_postproc_piece *piece = &l->list[i];
        int k = piece->kind == TSL_POSTPROC_SECOND;
        size_t count = piece->kind == TSL_POSTPROC_ID ? 1 : keep[k];
        if (type_ids && count)
            memset(*type_ids + out->n, piece->type_id, count);
        if (piece->kind == TSL_POSTPROC_ID) {
            put_ids(out, piece->id, piece->name, 1);
        } else {
            rc = tsl_tokens_append(
                out, &texts[k],
                o->truncation && o->truncation->left ? texts[k].n - count : 0, count,
                err); /* there is room */
            trim_again(out, out->n - count);
        }
    }
    if (pad && !o->padding->left) {
        if (type_ids)
            memset(*type_ids + out->n, o->padding->type_id, pad);
        put_ids(out, o->padding->id, o->padding->name, pad);
    }
    return rc;
}

/* ---- with what was cut off ------------------------------------------------------------ */

enum { TREE_MAX = 100000 };

static struct tsl_postproc_item special_item(uint32_t id, uint8_t type_id, bool attention)
{
    return (struct tsl_postproc_item){ .id = id,
                                       .type_id = type_id,
                                       .marks = TSL_TOKEN_SPECIAL,
                                       .special = true,
                                       .attention = attention };
}

static int add_items(struct tsl_encoding *e, const struct tsl_postproc_item *items,
                     size_t n, struct tsl_err *err)
{
    int rc = tsl_mem_grow(&e->items, &e->cap, e->n + n + 1, sizeof *e->items,
                          "an encoding", err);
    if (rc == 0 && n)
        memcpy(e->items + e->n, items, n * sizeof *items);
    if (rc == 0)
        e->n += n;
    return rc;
}

static int add_range(struct tsl_encoding *e, const struct tsl_tokens *t, size_t from,
                     size_t to, uint8_t type_id, struct tsl_err *err)
{
    int rc = 0;
    for (size_t i = from; rc == 0 && i < to; i++) {
        struct tsl_postproc_item item = { .id = t->ids[i],
                                          .type_id = type_id,
                                          .attention = true };
        if (t->want & TSL_WANT_SPANS) {
            item.begin = t->begin[i];
            item.end = t->end[i];
        }
        if (t->want & TSL_WANT_MARKS)
            item.marks = t->marks[i];
        if (i == from)
            trim_as_first(&item.begin, &item.end, &item.marks);
        item.marks &= TSL_TOKEN_TRIMMED - 1;
        rc = add_items(e, &item, 1, err);
    }
    return rc;
}

void tsl_encoding_fini(struct tsl_encoding *e)
{
    for (size_t i = 0; i < e->nover; i++)
        tsl_encoding_fini(&e->over[i]);
    tsl_mem_free(e->over);
    tsl_mem_free(e->items);
    *e = (struct tsl_encoding){ .n = 0 };
}

/* Room for one more overflowing encoding; lent until the next. */
static struct tsl_encoding *add_over(struct tsl_encoding *e, size_t *budget,
                                     struct tsl_err *err)
{
    if (!*budget) {
        tsl_err_set(err, TSL_EUSAGE, "truncation makes more than %d parts", TREE_MAX);
        return NULL;
    }
    --*budget;
    if (tsl_mem_grow(&e->over, &e->over_cap, e->nover + 1, sizeof *e->over, "an encoding",
                     err) < 0)
        return NULL;
    e->over[e->nover] = (struct tsl_encoding){ .n = 0 };
    return &e->over[e->nover++];
}

static int code_of(const struct tsl_err *err, size_t budget)
{
    return err && err->code ? err->code : budget ? TSL_ENOMEM : TSL_EUSAGE;
}

/* A text's tokens, cut to keep, and the parts that were cut off. */
static int cut(struct tsl_encoding *e, const struct tsl_tokens *t, size_t keep,
               const struct tsl_truncation *how, const struct tsl_postproc_piece *piece,
               size_t *budget, struct tsl_err *err)
{
    size_t n = t->n, step = how && keep ? keep - how->stride : 0;
    if (keep == n)
        return add_range(e, t, 0, n, piece->type_id, err);
    if (keep == 0) {
        struct tsl_encoding *o = add_over(e, budget, err);
        return o ? add_range(o, t, 0, n, piece->type_rest, err) : code_of(err, *budget);
    }
    int rc = 0;
    bool more = true;
    for (size_t k = 0; rc == 0 && more; k += step) {
        size_t from, to;
        if (how->left) {
            to = n - k;
            from = to > keep ? to - keep : 0;
            more = from > 0;
        } else {
            from = k;
            to = n - k > keep ? k + keep : n;
            more = to < n;
        }
        struct tsl_encoding *part = k ? add_over(e, budget, err) : e;
        rc = part ? add_range(part, t, from, to, k ? piece->type_rest : piece->type_id,
                              err)
                  : code_of(err, *budget);
    }
    return rc;
}

static int copy(struct tsl_encoding *to, const struct tsl_encoding *from, size_t *budget,
                struct tsl_err *err)
{
    int rc = add_items(to, from->items, from->n, err);
    for (size_t i = 0; rc == 0 && i < from->nover; i++) {
        struct tsl_encoding *o = add_over(to, budget, err);
        rc = o ? copy(o, &from->over[i], budget, err) : code_of(err, *budget);
    }
    return rc;
}

static int merge(struct tsl_encoding *e, const struct tsl_encoding *other, size_t *budget,
                 struct tsl_err *err);

/* Adds base + other to to's overflowing ones. */
static int merge_over(struct tsl_encoding *to, const struct tsl_encoding *base,
                      const struct tsl_encoding *other, size_t *budget,
                      struct tsl_err *err)
{
    struct tsl_encoding *o = add_over(to, budget, err);
    int rc = o ? copy(o, base, budget, err) : code_of(err, *budget);
    return rc < 0 ? rc : merge(o, other, budget, err);
}

/* Encoding::merge_with, without growing offsets. */
static int merge(struct tsl_encoding *e, const struct tsl_encoding *other, size_t *budget,
                 struct tsl_err *err)
{
    struct tsl_encoding made = { .n = 0 };
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < e->nover; i++) {
        rc = merge_over(&made, &e->over[i], other, budget, err);
        for (size_t k = 0; rc == 0 && k < other->nover; k++)
            rc = merge_over(&made, &e->over[i], &other->over[k], budget, err);
    }
    for (size_t k = 0; rc == 0 && k < other->nover; k++)
        rc = merge_over(&made, e, &other->over[k], budget, err);
    if (rc == 0)
        rc = add_items(e, other->items, other->n, err);
    if (rc < 0) {
        tsl_encoding_fini(&made);
        return rc;
    }
    for (size_t i = 0; i < e->nover; i++)
        tsl_encoding_fini(&e->over[i]);
    tsl_mem_free(e->over);
    e->over = made.over;
    e->nover = made.nover;
    e->over_cap = made.over_cap;
    return 0;
}

static int pad_to(struct tsl_encoding *e, size_t to, const struct tsl_padding *pad,
                  struct tsl_err *err)
{
    struct tsl_postproc_item item = special_item(pad->id, pad->type_id, false);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < e->nover; i++)
        rc = pad_to(&e->over[i], to, pad, err);
    size_t n = e->n, more = to > n ? to - n : 0;
    for (size_t i = 0; rc == 0 && i < more; i++)
        rc = add_items(e, &item, 1, err);
    if (rc == 0 && more && pad->left) {
        memmove(e->items + more, e->items, n * sizeof *e->items);
        for (size_t i = 0; i < more; i++)
            e->items[i] = item;
    }
    return rc;
}

int tsl_postproc_tree(const struct tsl_postproc *p, const struct tsl_tokens *a,
                      const struct tsl_tokens *b, const struct tsl_postproc_opts *o,
                      struct tsl_encoding *out, struct tsl_err *err)
{
    const struct tsl_postproc_list *l = &p->lists[b != NULL][!o->plain];
    const struct tsl_tokens texts[2] = { made(a, NULL, o), made(b, a, o) };
    size_t keep[2] = { texts[0].n, texts[1].n }, budget = TREE_MAX;
    struct tsl_encoding all = { .n = 0 };
    int rc = plan(p, o, keep, b, err);
    for (size_t i = 0; rc == 0 && i < l->n; i++) {
        const struct tsl_postproc_piece *piece = &l->list[i];
        int k = piece->kind == TSL_POSTPROC_SECOND;
        struct tsl_encoding part = { .n = 0 };
        struct tsl_postproc_item item = special_item(piece->id, piece->type_id, true);
        if (piece->kind == TSL_POSTPROC_ID)
            rc = add_items(&part, &item, 1, err);
        else
            rc = cut(&part, &texts[k], keep[k], o->truncation, piece, &budget, err);
        if (rc == 0)
            rc = merge(&all, &part, &budget, err);
        tsl_encoding_fini(&part);
    }
    if (rc == 0 && o->padding)
        rc = pad_to(&all, all.n + padded(o->padding, all.n), o->padding, err);
    if (rc < 0)
        tsl_encoding_fini(&all);
    else
        *out = all;
    return rc;
}
