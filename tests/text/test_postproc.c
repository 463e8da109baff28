#include "support/test.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "support/fault.h"
#include "support/gendata.h"
#include "text/postproc.h"

enum { CLS = 100, SEP = 101, PAD = 102 };

static const struct tsl_postproc_token cls = { .id = CLS }, sep = { .id = SEP };

/* n tokens from id on; starts: a bit for each that begins a word. */
static void tokens(struct tsl_tokens *t, uint32_t id, size_t n, uint64_t starts)
{
    struct tsl_err err = { 0 };
    tsl_tokens_init(t, TSL_WANT_SPANS | TSL_WANT_MARKS);
    for (size_t i = 0; i < n; i++)
        assert_ok(tsl_tokens_add(t, id + (uint32_t)i, (uint32_t)i, (uint32_t)i + 1,
                                 starts >> (i % 64) & 1 ? TSL_TOKEN_WORD_START : 0, &err),
                  &err);
}

static struct tsl_postproc bert(void)
{
    struct tsl_err err = { 0 };
    struct tsl_postproc p;
    assert_ok(tsl_postproc_init(&p, &err), &err);
    assert_ok(tsl_postproc_bert(&p, cls, sep, &err), &err);
    return p;
}

/* Ids, with /1 behind those of type 1. */
static void assert_wraps(const struct tsl_postproc *p, const struct tsl_tokens *a,
                         const struct tsl_tokens *b, const struct tsl_postproc_opts *o,
                         const char *want)
{
    struct tsl_err err = { 0 };
    struct tsl_tokens out;
    uint8_t *types = NULL;
    size_t cap = 0, n = 0;
    char got[1000] = "";
    tsl_tokens_init(&out, TSL_WANT_SPANS | TSL_WANT_MARKS);
    assert_ok(tsl_postproc_wrap(p, a, b, o, &out, &types, &cap, &err), &err);
    for (size_t i = 0; i < out.n; i++)
        n += (size_t)snprintf(got + n, sizeof got - n, "%s%u%s", i ? " " : "",
                              (unsigned)out.ids[i], types[i] ? "/1" : "");
    assert_string_equal(got, want);
    tsl_mem_free(types);
    tsl_tokens_fini(&out);
}

static void special_tokens_stand_around_one_text_and_two(void **state)
{
    struct tsl_postproc p = bert();
    const struct tsl_postproc_opts o = { 0 }, plain = { .plain = true };
    struct tsl_tokens a, b;
    (void)state;
    tokens(&a, 1, 2, ~UINT64_C(0));
    tokens(&b, 11, 1, ~UINT64_C(0));
    assert_wraps(&p, &a, NULL, &o, "100 1 2 101");
    assert_wraps(&p, &a, &b, &o, "100 1 2 101 11/1 101/1");
    assert_wraps(&p, &a, &b, &plain, "1 2 11/1");
    a.n = 0;
    assert_wraps(&p, &a, NULL, &o, "100 101");
    assert_int_equal(tsl_postproc_added(&p, false), 2);
    assert_int_equal(tsl_postproc_added(&p, true), 3);
    tsl_tokens_fini(&a);
    tsl_tokens_fini(&b);
    tsl_postproc_fini(&p);
}

static void padding_goes_to_a_length_and_up_to_a_multiple_on_either_side(void **state)
{
    struct tsl_postproc p = bert();
    struct tsl_padding pad = { .fixed = 5, .id = PAD, .type_id = 1 };
    const struct tsl_postproc_opts o = { .padding = &pad };
    struct tsl_tokens a;
    (void)state;
    tokens(&a, 1, 1, 1);
    assert_wraps(&p, &a, NULL, &o, "100 1 101 102/1 102/1");
    pad.left = true;
    assert_wraps(&p, &a, NULL, &o, "102/1 102/1 100 1 101");
    pad = (struct tsl_padding){ .multiple = 4, .id = PAD };
    assert_wraps(&p, &a, NULL, &o, "100 1 101 102");
    pad.fixed = 5;
    assert_wraps(&p, &a, NULL, &o, "100 1 101 102 102 102 102 102");
    pad = (struct tsl_padding){ .fixed = 2, .id = PAD };
    assert_wraps(&p, &a, NULL, &o, "100 1 101");
    tsl_tokens_fini(&a);
    tsl_postproc_fini(&p);
}

static void the_longer_text_is_cut_first(void **state)
{
    struct tsl_postproc p = bert();
    struct tsl_truncation cut = { .max_length = 8 };
    const struct tsl_postproc_opts o = { .truncation = &cut };
    struct tsl_tokens a, b;
    (void)state;
    tokens(&a, 1, 6, ~UINT64_C(0));
    tokens(&b, 11, 2, ~UINT64_C(0));
    assert_wraps(&p, &a, NULL, &o, "100 1 2 3 4 5 6 101");
    assert_wraps(&p, &a, &b, &o, "100 1 2 3 101 11/1 12/1 101/1");
    cut.left = true;
    assert_wraps(&p, &a, &b, &o, "100 4 5 6 101 11/1 12/1 101/1");
    cut.strategy = TSL_TRUNCATE_ONLY_FIRST;
    cut.left = false;
    cut.max_length = 6;
    assert_wraps(&p, &a, &b, &o, "100 1 101 11/1 12/1 101/1");
    cut.max_length = 2;
    cut.strategy = TSL_TRUNCATE_LONGEST_FIRST;
    assert_wraps(&p, &a, NULL, &o, "100 101");
    tsl_tokens_fini(&a);
    tsl_tokens_fini(&b);
    tsl_postproc_fini(&p);
}

/* Asked of 0.23.2, words of one token and one of three. */
static void
the_odd_token_is_of_the_text_that_is_longer_when_tokenizing_stops(void **state)
{
    struct tsl_postproc p;
    struct tsl_err err = { 0 };
    struct tsl_truncation cut = { .max_length = 5 };
    struct tsl_postproc_opts o = { .truncation = &cut };
    struct tsl_tokens a, b;
    (void)state;
    assert_ok(tsl_postproc_init(&p, &err), &err);
    tokens(&a, 1, 12, ~UINT64_C(0));
    tokens(&b, 21, 9, ~UINT64_C(0));
    /* both stop at five tokens, so the second keeps the odd one */
    assert_wraps(&p, &a, &b, &o, "1 2 21/1 22/1 23/1");
    /* the first has six when its word of two ends */
    a.marks[5] = 0;
    assert_wraps(&p, &a, &b, &o, "1 2 3 21/1 22/1");
    /* it is one piece, and longer */
    a.marks[5] = TSL_TOKEN_WORD_START;
    o.one_piece = true;
    assert_wraps(&p, &a, &b, &o, "1 2 3 21/1 22/1");
    o.one_piece = false;
    /* an added token is no reason to stop */
    a.marks[4] |= TSL_TOKEN_SPECIAL;
    assert_wraps(&p, &a, &b, &o, "1 2 3 21/1 22/1");
    a.marks[4] = TSL_TOKEN_WORD_START;
    cut.left = true;
    assert_wraps(&p, &a, &b, &o, "11 12 27/1 28/1 29/1");
    a.marks[7] = 0; /* from the end: five tokens are there within a word */
    assert_wraps(&p, &a, &b, &o, "10 11 12 28/1 29/1");
    /* behind an empty text the second stops, whichever is to be cut */
    cut = (struct tsl_truncation){ .max_length = 5, .strategy = TSL_TRUNCATE_ONLY_FIRST };
    a.n = 0;
    assert_wraps(&p, &a, &b, &o, "21/1 22/1 23/1 24/1 25/1");
    tsl_tokens_fini(&a);
    tsl_tokens_fini(&b);
    tsl_postproc_fini(&p);
}

static void what_cannot_be_cut_is_refused(void **state)
{
    struct tsl_postproc p = bert();
    struct tsl_truncation cut = { .max_length = 1 };
    const struct tsl_postproc_opts o = { .truncation = &cut };
    struct tsl_err err = { 0 };
    struct tsl_tokens a, b, out;
    (void)state;
    tokens(&a, 1, 6, ~UINT64_C(0));
    tokens(&b, 11, 2, ~UINT64_C(0));
    tsl_tokens_init(&out, 0);
    assert_err(tsl_postproc_wrap(&p, &a, NULL, &o, &out, NULL, NULL, &err), TSL_EUSAGE,
               &err, "no room for 2 special");
    cut.max_length = 4;
    cut.strategy = TSL_TRUNCATE_ONLY_SECOND;
    assert_err(tsl_postproc_wrap(&p, &a, NULL, &o, &out, NULL, NULL, &err), TSL_EUSAGE,
               &err, "there is none");
    assert_err(tsl_postproc_wrap(&p, &a, &b, &o, &out, NULL, NULL, &err), TSL_EUSAGE,
               &err, "second text is too short");
    cut = (struct tsl_truncation){ .max_length = 4, .stride = 2 };
    assert_err(tsl_postproc_wrap(&p, &a, NULL, &o, &out, NULL, NULL, &err), TSL_EUSAGE,
               &err, "stride of 2");
    assert_int_equal(out.n, 0);
    struct tsl_postproc_piece second = { .kind = TSL_POSTPROC_SECOND };
    assert_err(tsl_postproc_template(&p, &second, 1, &second, 1, &err), TSL_EFORMAT, &err,
               "second one");
    tsl_tokens_fini(&out);
    tsl_tokens_fini(&a);
    tsl_tokens_fini(&b);
    tsl_postproc_fini(&p);
}

static void a_tree_of_a_hundred_thousand_parts_is_refused(void **state)
{
    struct tsl_postproc p;
    struct tsl_truncation cut = { .max_length = 6 };
    struct tsl_postproc_opts o = { .truncation = &cut, .one_piece = true };
    struct tsl_encoding tree = { .n = 0 };
    struct tsl_err err = { 0 };
    struct tsl_tokens a;
    (void)state;
    assert_ok(tsl_postproc_init(&p, &err), &err);
    tokens(&a, 1, 3000, ~UINT64_C(0));
    assert_err(tsl_postproc_tree(&p, &a, &a, &o, &tree, &err), TSL_EUSAGE, &err,
               "more than 100000 parts");
    assert_true(tree.n == 0 && tree.nover == 0);
    tsl_tokens_fini(&a);
    tsl_postproc_fini(&p);
}

/* Asked of 0.23.3: Template, then Bert, over one text. */
static void a_special_token_of_two_ids_or_of_none_is_one_encoding(void **state)
{
    const struct tsl_postproc_piece t[] = {
        { .kind = TSL_POSTPROC_ID, .id = 7 },
        { .kind = TSL_POSTPROC_ID, .id = 8, .more = true },
        { .kind = TSL_POSTPROC_FIRST },
        { .kind = TSL_POSTPROC_NOTHING },
    };
    const struct tsl_postproc_opts o = { 0 }, plain = { .plain = true };
    struct tsl_postproc p;
    struct tsl_err err = { 0 };
    struct tsl_tokens a;
    (void)state;
    assert_ok(tsl_postproc_init(&p, &err), &err);
    assert_ok(tsl_postproc_template(&p, t, 4, t, 4, &err), &err);
    assert_ok(tsl_postproc_bert(&p, cls, sep, &err), &err);
    tokens(&a, 1, 2, ~UINT64_C(0));
    assert_wraps(&p, &a, NULL, &o, "100 7 8 101 1 2 101/1 101/1");
    assert_wraps(&p, &a, NULL, &plain, "1 2");
    /* what Bert puts around each of the three is not counted */
    assert_int_equal(tsl_postproc_added(&p, false), 4);
    tsl_tokens_fini(&a);
    tsl_postproc_fini(&p);
}

static void behind_a_template_the_next_takes_encodings_for_texts(void **state)
{
    const struct tsl_postproc_piece one[] = { { .kind = TSL_POSTPROC_FIRST },
                                              { .kind = TSL_POSTPROC_ID, .id = 7 } };
    const struct tsl_postproc_piece two[] = { { .kind = TSL_POSTPROC_SECOND },
                                              { .kind = TSL_POSTPROC_FIRST },
                                              { .kind = TSL_POSTPROC_ID, .id = 8 } };
    const struct tsl_postproc_opts o = { 0 };
    struct tsl_postproc p;
    struct tsl_err err = { 0 };
    struct tsl_tokens a, out;
    (void)state;
    assert_ok(tsl_postproc_init(&p, &err), &err);
    tokens(&a, 1, 2, ~UINT64_C(0));
    assert_ok(tsl_postproc_template(&p, one, 2, two, 3, &err), &err);
    assert_ok(tsl_postproc_template(&p, one, 2, two, 3, &err), &err);
    assert_wraps(&p, &a, NULL, &o, "7 1 2 8");
    tsl_tokens_init(&out, 0);
    assert_err(tsl_postproc_wrap(&p, &a, &a, &o, &out, NULL, NULL, &err), TSL_EUSAGE,
               &err, "leaves 3 encodings");
    tsl_tokens_fini(&out);
    tsl_tokens_fini(&a);
    tsl_postproc_fini(&p);
}

static struct tsl_slice spelled(const void *ctx, uint32_t id)
{
    (void)id;
    return (struct tsl_slice){ ctx, strlen(ctx) };
}

static void a_token_that_is_put_in_has_the_name_of_its_post_processor(void **state)
{
    static const char named[] = "sep\0";
    struct tsl_postproc p;
    struct tsl_padding pad = { .fixed = 5, .id = PAD };
    const struct tsl_postproc_opts o = { .padding = &pad };
    struct tsl_postproc_token c = cls, s = sep;
    struct tsl_err err = { 0 };
    struct tsl_tokens a, out;
    (void)state;
    assert_ok(tsl_postproc_init(&p, &err), &err);
    assert_ok(tsl_postproc_name(&p, spelled("cls", 0), &c.name, &err), &err);
    assert_ok(tsl_postproc_name(&p, (struct tsl_slice){ (const uint8_t *)named, 4 },
                                &s.name, &err),
              &err);
    assert_ok(tsl_postproc_name(&p, spelled("cls", 0), &pad.name, &err), &err);
    assert_int_equal(pad.name, c.name);
    assert_ok(tsl_postproc_bert(&p, c, s, &err), &err);
    tsl_postproc_forget(&p, &pad, spelled, "cls");
    assert_true(p.named && !pad.name);
    tokens(&a, 1, 1, 1);
    tsl_tokens_init(&out, TSL_WANT_TEXTS);
    assert_ok(tsl_postproc_wrap(&p, &a, NULL, &o, &out, NULL, NULL, &err), &err);
    assert_int_equal(out.n, 5);
    for (size_t i = 0; i < out.n; i++) {
        struct tsl_slice name = tsl_postproc_named(&p, &out, i);
        assert_null(tsl_tokens_text(&out, i).data);
        assert_true(i == 2 ? name.len == 4 && memcmp(name.data, named, 4) == 0
                           : name.data == NULL);
    }
    tsl_tokens_fini(&out);
    tsl_tokens_fini(&a);
    tsl_postproc_fini(&p);
}

/* Asked of 0.23.3: ByteLevel, then Roberta with add_prefix_space. */
static void the_second_trimming_sees_what_the_first_left(void **state)
{
    static const uint8_t text[] = " xy";
    const struct tsl_slice row = { text, 3 };
    struct tsl_slice token = { (const uint8_t *)"\xc4\xa0x", 3 };
    uint32_t begin = 0, end = 2;
    struct tsl_postproc p;
    struct tsl_err err = { 0 };
    (void)state;
    assert_ok(tsl_postproc_init(&p, &err), &err);
    assert_ok(tsl_postproc_byte_level(&p, true, false, &err), &err);
    assert_ok(tsl_postproc_roberta(&p, cls, sep, true, true, &err), &err);
    tsl_postproc_trim(&p, token, true, false, row, &begin, &end);
    assert_true(begin == 2 && end == 2);
    begin = 0;
    tsl_postproc_trim(&p, token, true, true, row, &begin, &end);
    assert_true(begin == 1 && end == 2);
    /* a byte that is no UTF-8 is a character */
    begin = 0;
    end = 2;
    tsl_postproc_trim(&p, (struct tsl_slice){ (const uint8_t *)"x ", 2 }, true, true,
                      (struct tsl_slice){ (const uint8_t *)"x\x8d", 2 }, &begin, &end);
    assert_true(begin == 0 && end == 0); /* two trims */
    tsl_postproc_fini(&p);
}

/* Asked of 0.23.2: trimming comes behind truncation there. */
static void a_token_that_truncation_makes_the_first_is_trimmed_as_one(void **state)
{
    static const uint8_t text[] = "a b c";
    const struct tsl_slice row = { text, 5 }, blank = { (const uint8_t *)"\xc4\xa0", 2 },
                           word = { (const uint8_t *)"\xc4\xa0"
                                                     "c",
                                    3 };
    const struct tsl_truncation left = { .max_length = 2, .left = true };
    const struct tsl_postproc_opts o = { .plain = true, .truncation = &left };
    struct tsl_postproc p;
    struct tsl_tokens a, out;
    struct tsl_err err = { 0 };
    (void)state;
    assert_ok(tsl_postproc_init(&p, &err), &err);
    assert_ok(tsl_postproc_byte_level(&p, true, true, &err), &err);
    tsl_tokens_init(&a, TSL_WANT_SPANS | TSL_WANT_MARKS);
    tsl_tokens_init(&out, TSL_WANT_SPANS | TSL_WANT_MARKS);
    for (uint32_t i = 0; i < 3; i++)
        assert_ok(tsl_tokens_add(&a, i, i + 1, i == 2 ? 5 : i + 2, 0, &err), &err);
    for (size_t i = 0; i < 3; i++)
        tsl_postproc_trim_noted(&p, i == 2 ? word : blank, true, i == 0, row, &a.begin[i],
                                &a.end[i], &a.marks[i]);
    assert_true(a.begin[1] == 3 && a.end[1] == 3 && a.begin[2] == 4);
    assert_ok(tsl_postproc_wrap(&p, &a, NULL, &o, &out, NULL, NULL, &err), &err);
    assert_int_equal(out.n, 2);
    assert_true(out.begin[0] == 2 && out.end[0] == 2 && out.begin[1] == 4 &&
                out.end[1] == 5);
    assert_true(out.marks[0] == 0 && out.marks[1] == 0);
    tsl_tokens_fini(&a);
    tsl_tokens_fini(&out);
    tsl_postproc_fini(&p);
}

static void compare(const struct tsl_postproc *p, const struct tsl_tokens *a,
                    const struct tsl_tokens *b, const struct tsl_postproc_opts *o)
{
    struct tsl_encoding tree = { .n = 0 };
    struct tsl_tokens out;
    uint8_t *types = NULL;
    size_t cap = 0;
    tsl_tokens_init(&out, TSL_WANT_SPANS | TSL_WANT_MARKS);
    int flat = tsl_postproc_wrap(p, a, b, o, &out, &types, &cap, NULL);
    assert_int_equal(flat, tsl_postproc_tree(p, a, b, o, &tree, NULL));
    if (flat == 0) {
        assert_int_equal(tree.n, out.n);
        assert_true(!o->truncation ||
                    out.n <= o->truncation->max_length + (o->padding ? 16 : 0));
        for (size_t i = 0; i < out.n; i++) {
            const struct tsl_postproc_item *it = &tree.items[i];
            assert_true(it->id == out.ids[i] && it->type_id == types[i] &&
                        it->begin == out.begin[i] && it->end == out.end[i] &&
                        it->marks == out.marks[i]);
        }
    }
    tsl_mem_free(types);
    tsl_tokens_fini(&out);
    tsl_encoding_fini(&tree);
}

static void the_flat_form_is_the_trunk_of_the_tree(void **state)
{
    struct gen g = { 11 };
    (void)state;
    for (int round = 0; round < 3000; round++) {
        struct tsl_err err = { 0 };
        struct tsl_postproc p;
        struct tsl_tokens a, b;
        assert_ok(tsl_postproc_init(&p, &err), &err);
        if (gen_below(&g, 2))
            assert_ok(tsl_postproc_roberta(&p, cls, sep, true, gen_below(&g, 2), &err),
                      &err);
        else if (gen_below(&g, 2))
            assert_ok(tsl_postproc_bert(&p, cls, sep, &err), &err);
        tokens(&a, 1, gen_below(&g, 20), gen_u64(&g));
        tokens(&b, 31, gen_below(&g, 20), gen_u64(&g));
        const struct tsl_truncation cut = {
            .max_length = gen_below(&g, 16),
            .stride = gen_below(&g, 3),
            .strategy = (enum tsl_truncation_strategy)gen_below(&g, 3),
            .left = gen_below(&g, 2)
        };
        const struct tsl_padding pad = { .fixed = gen_below(&g, 2) * 9,
                                         .multiple = gen_below(&g, 2) * 4,
                                         .id = PAD,
                                         .left = gen_below(&g, 2) };
        const struct tsl_postproc_opts o = { .plain = gen_below(&g, 2),
                                             .truncation = gen_below(&g, 3) ? &cut : NULL,
                                             .padding = gen_below(&g, 2) ? &pad : NULL,
                                             .one_piece = gen_below(&g, 4) == 0 };
        compare(&p, &a, gen_below(&g, 2) ? &b : NULL, &o);
        tsl_tokens_fini(&a);
        tsl_tokens_fini(&b);
        tsl_postproc_fini(&p);
    }
}

static void any_failed_allocation_is_reported(void **state)
{
    (void)state;
    for (unsigned nth = 1;; nth++) {
        struct tsl_err err = { 0 };
        struct tsl_postproc p = { .ntrims = 0 };
        struct tsl_truncation cut = { .max_length = 6, .stride = 1 };
        const struct tsl_postproc_opts o = { .truncation = &cut };
        struct tsl_encoding tree = { .n = 0 };
        struct tsl_tokens a;
        tokens(&a, 1, 9, ~UINT64_C(0));
        fault_arm(nth, "calloc realloc mmap");
        int rc = tsl_postproc_init(&p, &err);
        if (rc == 0)
            rc = tsl_postproc_roberta(&p, cls, sep, true, true, &err);
        if (rc == 0)
            rc = tsl_postproc_tree(&p, &a, NULL, &o, &tree, &err);
        const char *call = fault_disarm();
        assert_int_equal(rc, call ? TSL_ENOMEM : 0);
        assert_int_equal(err.code, rc);
        tsl_encoding_fini(&tree);
        tsl_postproc_fini(&p);
        tsl_tokens_fini(&a);
        if (!call)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(special_tokens_stand_around_one_text_and_two),
        TEST(padding_goes_to_a_length_and_up_to_a_multiple_on_either_side),
        TEST(the_longer_text_is_cut_first),
        TEST(the_odd_token_is_of_the_text_that_is_longer_when_tokenizing_stops),
        TEST(what_cannot_be_cut_is_refused),
        TEST(a_tree_of_a_hundred_thousand_parts_is_refused),
        TEST(a_special_token_of_two_ids_or_of_none_is_one_encoding),
        TEST(behind_a_template_the_next_takes_encodings_for_texts),
        TEST(a_token_that_is_put_in_has_the_name_of_its_post_processor),
        TEST(a_token_that_truncation_makes_the_first_is_trimmed_as_one),
        TEST(the_second_trimming_sees_what_the_first_left),
        TEST(the_flat_form_is_the_trunk_of_the_tree),
        TEST(any_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
