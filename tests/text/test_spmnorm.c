#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "support/fault.h"
#include "support/slowspm.h"
#include "support/spmdata.h"
#include "text/spmnorm.h"

/* A normalizer and the model file that it follows. */
struct fixture {
    struct tsl_tokfile_spm *file;
    struct tsl_spmnorm norm;
};

static int init_norm(struct tsl_spmnorm *nm, const struct tsl_tokfile_spm *file,
                     struct tsl_err *err)
{
    struct tsl_slice user[64];
    size_t n = 0;
    for (size_t i = 0; i < file->npieces; i++)
        if (file->pieces[i].type == TSL_SPM_USER_DEFINED && n < 64)
            user[n++] = file->pieces[i].text;
    return tsl_spmnorm_init(nm, &file->options.normalizer,
                            file->options.whitespace_suffix, user, n, "x.model", err);
}

static void start(struct fixture *f, const struct spmdata *d)
{
    struct tsl_err err = { 0 };
    f->file = spmdata_file(d);
    assert_ok(init_norm(&f->norm, f->file, &err), &err);
}

static void finish(struct fixture *f)
{
    tsl_spmnorm_fini(&f->norm);
    tsl_tokfile_spm_destroy(f->file);
}

/* U+2581 for spaces, as in the file. */
static struct fixture plain(bool dummy, bool remove, bool suffix)
{
    struct fixture f;
    struct spmdata d = spmdata_begin(TSL_SPM_UNIGRAM, false);
    d.options.normalizer.add_dummy_prefix = dummy;
    d.options.normalizer.remove_extra_whitespaces = remove;
    d.options.whitespace_suffix = suffix;
    spmdata_add(&d, "a", -1, TSL_SPM_NORMAL);
    start(&f, &d);
    spmdata_end(&d);
    return f;
}

static void gives(const struct fixture *f, const char *text, const char *want)
{
    struct tsl_err err = { 0 };
    struct tsl_spmnorm_run run = { 0 };
    tsl_spmnorm_begin(&run);
    assert_ok(tsl_spmnorm_text(&f->norm, &run, spmdata_str(text), true, &err), &err);
    assert_int_equal(run.len, strlen(want));
    assert_memory_equal(run.bytes, want, run.len);
    assert_int_equal(run.certain, run.len);
    assert_int_equal(run.raw, strlen(text));
    for (size_t i = 0; i < TSL_SPMNORM_PAD; i++)
        assert_int_equal(run.bytes[run.len + i], 0xff);
    tsl_spmnorm_fini_run(&run);
}

static void spaces_are_dropped_and_one_is_put_where_the_model_says(void **state)
{
    (void)state;
    struct fixture f = plain(true, true, false);
    gives(&f, "", "");
    gives(&f, "   ", "");
    gives(&f, "a", " a");
    gives(&f, "  a  b ", " a b");
    gives(&f,
          "\xe2\x96\x81"
          "a",
          "  a"); /* U+2581 itself is a space that stays */
    gives(&f, "a\tb\n", " a\tb\n");
    finish(&f);
    f = plain(false, false, false);
    gives(&f, "  a  b ", "  a  b ");
    finish(&f);
    f = plain(true, false, false);
    gives(&f, " ", "  ");
    finish(&f);
    f = plain(true, true, true); /* the space stands behind */
    gives(&f, " a b  ", "a b ");
    gives(&f, "  ", "");
    finish(&f);
}

static void a_byte_of_no_character_is_a_sign_each_and_counted(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_spmnorm_run run = { 0 };
    struct fixture f = plain(false, true, false);
    (void)state;
    for (uint64_t round = 1; round <= 2; round++) {
        tsl_spmnorm_begin(&run);
        assert_ok(
            tsl_spmnorm_text(&f.norm, &run, spmdata_str("a\xe4\xb8z\xff"), true, &err),
            &err);
        assert_int_equal(run.len, 11);
        assert_memory_equal(run.bytes, "a\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd", 11);
        assert_int_equal(run.invalid, 3 * round); /* of all runs */
    }
    tsl_spmnorm_fini_run(&run);
    finish(&f);
}

static void the_map_and_user_defined_pieces_have_their_say(void **state)
{
    static const struct charsmapdata_pair map[] = {
        { "A", "a" },
        { "\t", " " },
        { "x", "" },
        { "\xef\xac\x81", "fi" },
        { "e\xcc\x81", "\xc3\xa9" },
        { "ab", "Q" },
    };
    struct fixture f;
    struct spmdata d = spmdata_begin(TSL_SPM_UNIGRAM, false);
    (void)state;
    d.options.normalizer.charsmap = charsmapdata_build(map, 6);
    spmdata_add(&d, "A  b", 0, TSL_SPM_USER_DEFINED);
    spmdata_add(&d, "a", 0, TSL_SPM_NORMAL);
    start(&f, &d);
    gives(&f, "A\t\tax", " a a");
    gives(&f, "\xef\xac\x81 e\xcc\x81 e", " fi \xc3\xa9 e");
    gives(&f, "abab aAb", " QQ aab");  /* what came out is not mapped again */
    gives(&f, "A  bA  c", " A  ba c"); /* the piece stays as it is, its spaces too */
    gives(&f, "xx", "");               /* the space in front is one at the end, too */
    finish(&f);
    spmdata_end(&d);
}

/* The slow way writes U+2581 for a space: as this room has it, and the same in from. */
static void spaces_back(struct slow_norm *t, bool escape)
{
    size_t n = 0;
    for (size_t i = 0; i < t->len; n++) {
        bool space =
            escape && t->len - i >= 3 && memcmp(t->bytes + i, "\xe2\x96\x81", 3) == 0;
        t->from[n] = t->from[i];
        t->bytes[n] = space ? ' ' : t->bytes[i];
        i += space ? 3 : 1;
    }
    if (t->from)
        t->from[n] = t->from[t->len];
    t->len = n;
}

static void same_as_slow(const struct fixture *f, const struct tsl_spmnorm_run *run,
                         struct tsl_slice text)
{
    struct slow_norm t = slow_norm(f->file, text);
    size_t seg = 0;
    spaces_back(&t, f->file->options.normalizer.escape_whitespaces);
    assert_int_equal(run->len, t.len);
    if (t.len)
        assert_memory_equal(run->bytes, t.bytes, t.len);
    for (size_t i = 0; i < t.len; i++) {
        bool inside = (run->bytes[i] & 0xc0) == 0x80; /* of a character: not asked for */
        uint32_t from = tsl_spmnorm_raw(run, &seg, i);
        if (!inside)
            assert_int_equal(from, t.from[i]);
    }
    if (t.len)
        assert_int_equal(tsl_spmnorm_raw(run, &seg, t.len), t.from[t.len]);
    free(t.bytes);
    free(t.from);
}

static void any_text_becomes_what_the_slow_way_makes_of_it(void **state)
{
    struct gen g = { 9 };
    struct tsl_spmnorm_run run = { 0 };
    (void)state;
    for (int round = 0; round < 100; round++) {
        struct spmdata d = spmdata_random(&g);
        struct fixture f;
        start(&f, &d);
        for (int i = 0; i < 30; i++) {
            struct tsl_err err = { 0 };
            struct tsl_slice text = spmdata_text(&g, gen_below(&g, 80));
            uint8_t *exact = malloc(text.len + !text.len); /* for ASan */
            memcpy(exact, text.data, text.len);
            free((void *)(uintptr_t)text.data);
            text.data = exact;
            tsl_spmnorm_begin(&run);
            assert_ok(tsl_spmnorm_text(&f.norm, &run, text, true, &err), &err);
            same_as_slow(&f, &run, text);
            free(exact);
        }
        finish(&f);
        spmdata_end(&d);
    }
    tsl_spmnorm_fini_run(&run);
}

/* What is certain of a part is what the whole begins with, and the rest comes again behind
 * what was read. */
static void a_text_in_stretches_becomes_what_it_becomes_whole(void **state)
{
    struct gen g = { 10 };
    (void)state;
    for (int round = 0; round < 300; round++) {
        struct tsl_err err = { 0 };
        struct tsl_spmnorm_run run = { 0 }, whole = { 0 };
        struct spmdata d = spmdata_random(&g);
        struct tsl_slice text = spmdata_text(&g, 1 + gen_below(&g, 80));
        struct fixture f;
        uint8_t *all = NULL;
        size_t n = 0, at = 0, want = 1;
        start(&f, &d);
        tsl_spmnorm_begin(&whole);
        assert_ok(tsl_spmnorm_text(&f.norm, &whole, text, true, &err), &err);
        all = malloc(whole.len + 4096);
        tsl_spmnorm_begin(&run);
        while (at < text.len) {
            size_t len = want < text.len - at ? want : text.len - at;
            bool last = at + len == text.len;
            struct tsl_slice part = { text.data + at, len };
            assert_ok(tsl_spmnorm_text(&f.norm, &run, part, last, &err), &err);
            assert_true(run.certain <= run.len && run.raw <= len);
            assert_true(n + run.len <= whole.len + 4096);
            if (run.len)
                memcpy(all + n, run.bytes, run.len);
            if (run.certain) {
                assert_true(n + run.certain <= whole.len);
                assert_memory_equal(all, whole.bytes, n + run.certain);
            }
            n += run.len;
            at += run.raw;
            want = run.raw ? 1 + gen_below(&g, 40) : 2 * want;
            if (last)
                break;
        }
        if (!f.norm.remove_extra || run.certain == run.len) {
            /* spaces that nothing came behind may be left from an earlier stretch */
            while (n > whole.len && all[n - 1] == ' ')
                n--;
            assert_int_equal(n, whole.len);
            assert_memory_equal(all, whole.bytes, n);
        }
        free(all);
        free((void *)(uintptr_t)text.data);
        tsl_spmnorm_fini_run(&run);
        tsl_spmnorm_fini_run(&whole);
        finish(&f);
        spmdata_end(&d);
    }
}

/* Of a text that goes on, as the engine asks. */
static void a_row_can_be_taken_up_where_it_is_said_to(void **state)
{
    struct gen g = { 11 };
    size_t ntaken = 0;
    (void)state;
    for (int round = 0; round < 300; round++) {
        struct tsl_err err = { 0 };
        struct tsl_spmnorm_run run = { 0 }, rest = { 0 }, whole = { 0 };
        struct spmdata d = spmdata_random(&g);
        struct tsl_slice text = spmdata_text(&g, 1 + gen_below(&g, 60));
        struct fixture f;
        size_t seg = 0;
        start(&f, &d);
        tsl_spmnorm_begin(&whole);
        assert_ok(tsl_spmnorm_text(&f.norm, &whole, text, true, &err), &err);
        tsl_spmnorm_begin(&run);
        assert_ok(tsl_spmnorm_text(&f.norm, &run, text, false, &err), &err);
        for (size_t at = 0; at < run.certain; at++) {
            bool prev_space;
            uint32_t raw = tsl_spmnorm_raw(&run, &seg, at);
            if ((run.bytes[at] & 0xc0) == 0x80 ||
                !tsl_spmnorm_resume(&f.norm, &run, text, seg, at, &prev_space))
                continue;
            ntaken++;
            rest.started = true;
            rest.prev_space = prev_space;
            struct tsl_slice part = { text.data + raw, text.len - raw };
            assert_ok(tsl_spmnorm_text(&f.norm, &rest, part, true, &err), &err);
            assert_int_equal(rest.len, whole.len - at);
            assert_memory_equal(rest.bytes, whole.bytes + at, rest.len);
        }
        free((void *)(uintptr_t)text.data);
        tsl_spmnorm_fini_run(&run);
        tsl_spmnorm_fini_run(&rest);
        tsl_spmnorm_fini_run(&whole);
        finish(&f);
        spmdata_end(&d);
    }
    assert_true(ntaken > 1000);
}

/* Any bytes for a map: refused, or used without harm. */
static void a_hostile_map_is_refused_or_harmless(void **state)
{
    static const struct charsmapdata_pair map[] = { { "A", "a" }, { "bc", "  " } };
    struct gen g = { 12 };
    (void)state;
    for (int round = 0; round < 400; round++) {
        struct tsl_err err = { 0 };
        struct tsl_spm_normalizer o = { .add_dummy_prefix = true,
                                        .remove_extra_whitespaces = true,
                                        .escape_whitespaces = true };
        struct tsl_slice good = charsmapdata_build(map, 2);
        struct tsl_spmnorm nm;
        struct tsl_spmnorm_run run = { 0 };
        size_t n = gen_below(&g, 3) ? good.len : gen_below(&g, good.len);
        uint8_t *bytes = malloc(n + !n);
        memcpy(bytes, good.data, n);
        free((void *)(uintptr_t)good.data);
        for (uint64_t k = gen_below(&g, 40); k > 0 && n; k--)
            bytes[gen_below(&g, gen_below(&g, 2) ? n : (n < 16 ? n : 16))] =
                (uint8_t)gen_u64(&g);
        o.charsmap = (struct tsl_slice){ bytes, n };
        int rc = tsl_spmnorm_init(&nm, &o, false, NULL, 0, "x.model", &err);
        if (rc < 0) {
            assert_err(rc, TSL_EFORMAT, &err, "x.model: its character map: ");
        } else {
            tsl_spmnorm_begin(&run);
            assert_ok(tsl_spmnorm_text(
                          &nm, &run, spmdata_str("A bcb \xe4\xb8\xad\xff AAAAAAAAAAAAA"),
                          true, &err),
                      &err);
        }
        tsl_spmnorm_fini_run(&run);
        tsl_spmnorm_fini(&nm);
        free(bytes);
    }
}

static int init_and_run(void *ctx, struct tsl_err *err)
{
    struct tsl_spmnorm nm;
    struct tsl_spmnorm_run run = { 0 };
    int rc = init_norm(&nm, ctx, err);
    tsl_spmnorm_begin(&run);
    if (rc == 0)
        rc = tsl_spmnorm_text(&nm, &run, spmdata_str(" A   b  \xef\xac\x81  cc "), true,
                              err);
    tsl_spmnorm_fini_run(&run);
    tsl_spmnorm_fini(&nm);
    return rc;
}

static void any_failed_allocation_is_reported(void **state)
{
    static const struct charsmapdata_pair map[] = { { "A", "a" }, { "c", "ddddddddd" } };
    struct spmdata d = spmdata_begin(TSL_SPM_UNIGRAM, false);
    (void)state;
    d.options.normalizer.charsmap = charsmapdata_build(map, 2);
    d.options.whitespace_suffix = true;
    spmdata_add(&d, "user", 0, TSL_SPM_USER_DEFINED);
    struct tsl_tokfile_spm *file = spmdata_file(&d);
    fault_each_allocation(init_and_run, file);
    tsl_tokfile_spm_destroy(file);
    spmdata_end(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(spaces_are_dropped_and_one_is_put_where_the_model_says),
        TEST(a_byte_of_no_character_is_a_sign_each_and_counted),
        TEST(the_map_and_user_defined_pieces_have_their_say),
        TEST(any_text_becomes_what_the_slow_way_makes_of_it),
        TEST(a_text_in_stretches_becomes_what_it_becomes_whole),
        TEST(a_row_can_be_taken_up_where_it_is_said_to),
        TEST(a_hostile_map_is_refused_or_harmless),
        TEST(any_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
