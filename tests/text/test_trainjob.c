#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/fault.h"
#include "text/countfile.h"
#include "text/trainjob.h"

static struct tsl_slice slice(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

static char in[] = "../in", more[] = "../more", counts[] = "../counts";
static char *paths[] = { in, more }, *count_paths[] = { counts };
static const char *const dirs[] = { "." };
static struct tsl_slice specials[2];

/* The job runs in an empty folder, "work"; what it reads lies beside it. */
static int enter(void **state)
{
    int rc = test_enter_folder(state);
    file_put_text("in", "the cat sat on the mat\nthe cats sat\n");
    file_put_text("more", "a mat, a cat; a hat, that is that\n\n");
    if (rc == 0 && system("mkdir work") != 0)
        rc = -1;
    return rc;
}

static struct tsl_trainjob_opts job_of(enum tsl_train_kind kind)
{
    bool spm = kind == TSL_TRAIN_SPMBPE || kind == TSL_TRAIN_UNIGRAM;
    specials[0] = slice(spm ? "<unk>" : "[UNK]");
    struct tsl_trainjob_opts o = { .spec = { .kind = kind,
                                             .specials = specials,
                                             .nspecials = 1,
                                             .norm = { TSL_RULES_HF, true, true, true,
                                                       true },
                                             .pattern = TSL_SPLITPAT_GPT2,
                                             .spm = tsl_tokfile_spm_defaults(),
                                             .made_by = "" },
                                   .size = kind == TSL_TRAIN_BYTEBPE ? 262 : 24,
                                   .min_frequency = 1,
                                   .coverage = 1,
                                   .dir = "d" };
    o.spec.spm.normalizer.name = slice("identity");
    o.count = (struct tsl_countjob_opts){ .paths = paths,
                                          .npaths = 2,
                                          .memory = 32 << 20,
                                          .nthreads = 2,
                                          .dirs = dirs,
                                          .ndirs = 1 };
    return o;
}

static void every_kind_is_trained(void **state)
{
    static const struct {
        enum tsl_train_kind kind;
        const char *file;
    } kinds[] = { { TSL_TRAIN_WORDPIECE, "d/vocab.txt" },
                  { TSL_TRAIN_BYTEBPE, "d/merges.txt" },
                  { TSL_TRAIN_SPMBPE, "d/tokenizer.model" },
                  { TSL_TRAIN_UNIGRAM, "d/tokenizer.model" } };
    (void)state;
    assert_int_equal(chdir("work"), 0);
    for (size_t i = 0; i < 4; i++) {
        struct tsl_err err = { 0 };
        struct tsl_trainjob_stats st;
        struct tsl_trainjob_progress progress = { 0 };
        struct tsl_trainjob_opts o = job_of(kinds[i].kind);
        o.progress = &progress;
        assert_ok(tsl_trainjob_run(&o, &st, &err), &err);
        assert_true(file_exists(kinds[i].file));
        assert_int_equal(st.count.rows, 4);
        /* Unigram counts what ends a text apart */
        bool more_words =
            kinds[i].kind == TSL_TRAIN_BYTEBPE || kinds[i].kind == TSL_TRAIN_UNIGRAM;
        assert_int_equal(st.words, more_words ? 14 : 12);
        /* so little text has no more than 20 pieces for Unigram to choose from */
        assert_int_equal(st.tokens, kinds[i].kind == TSL_TRAIN_UNIGRAM ? 20 : o.size);
        assert_int_equal(atomic_load(&progress.step), TSL_TRAINJOB_WRITE);
        assert_int_equal(system("rm -r d"), 0);
    }
    assert_int_equal(chdir(".."), 0);
}

static void most_frequent_pairs_come_first(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_trainjob_stats st;
    struct tsl_trainjob_opts o = job_of(TSL_TRAIN_BYTEBPE);
    (void)state;
    assert_int_equal(chdir("work"), 0);
    o.size = 1 + 256 + 2;
    assert_ok(tsl_trainjob_run(&o, &st, &err), &err);
    /* "at" came 9 times, then "th" 5 times, as often as "a" at a word's begin did not */
    assert_true(file_is_text("d/merges.txt", "#version: 0.2\na t\nt h\n"));
    assert_int_equal(st.merges, 2);
    assert_int_equal(st.last_count, 5);
    assert_int_equal(chdir(".."), 0);
}

static void rare_words_can_be_left_out(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_trainjob_stats st;
    struct tsl_trainjob_opts o = job_of(TSL_TRAIN_WORDPIECE);
    (void)state;
    assert_int_equal(chdir("work"), 0);
    o.min_count = 3;
    assert_ok(tsl_trainjob_run(&o, &st, &err), &err);
    assert_int_equal(st.words, 2); /* the, a */
    assert_true(st.rare_words > 5);
    o.min_count = 1000;
    assert_err(tsl_trainjob_run(&o, &st, &err), TSL_EUSAGE, &err, "fewer than 1000");
    assert_int_equal(chdir(".."), 0);
}

static void counts_made_before_are_added(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_trainjob_stats st, whole;
    struct tsl_trainjob_opts o = job_of(TSL_TRAIN_UNIGRAM);
    struct tsl_wordcut cut;
    struct tsl_countfile_head head = { { 0 }, { 0 } };
    const struct tsl_sink_opts so = { TSL_CODEC_NONE, 0, NULL, 1 };
    struct tsl_wordcount *wc;
    (void)state;
    assert_int_equal(chdir("work"), 0);
    assert_ok(tsl_trainjob_run(&o, &whole, &err), &err);
    size_t n;
    uint8_t *model = file_get("d/tokenizer.model", &n);
    assert_ok(tsl_trainjob_cut(&o.spec, &cut, &err), &err);
    struct tsl_countjob_opts c = o.count;
    c.cut = &cut;
    c.npaths = 1;
    assert_ok(tsl_countjob_run(&c, &wc, &st.count, &err), &err);
    snprintf(head.cut, sizeof head.cut, "%s", cut.describe);
    assert_ok(tsl_countfile_write(counts, &so, &head, wc, 1, NULL, &err), &err);
    tsl_wordcount_destroy(wc);
    tsl_wordcut_fini(&cut);
    o.count.paths = paths + 1;
    o.count.npaths = 1;
    o.count.counts = count_paths;
    o.count.ncounts = 1;
    assert_ok(tsl_trainjob_run(&o, &st, &err), &err);
    assert_true(file_is("d/tokenizer.model", model, n));
    assert_int_equal(st.words, whole.words);
    free(model);
    assert_int_equal(chdir(".."), 0);
}

static void what_cannot_be_trained_is_told(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_trainjob_stats st;
    struct tsl_trainjob_opts o = job_of(TSL_TRAIN_WORDPIECE);
    (void)state;
    assert_int_equal(chdir("work"), 0);
    o.size = 10;
    assert_err(tsl_trainjob_run(&o, &st, &err), TSL_EUSAGE, &err, "no room");
    o.size = 30;
    file_put_text(more, " \n");
    o.count.paths = paths + 1;
    o.count.npaths = 1;
    assert_err(tsl_trainjob_run(&o, &st, &err), TSL_EUSAGE, &err, "no words");
    assert_true(folder_is_empty("."));
    assert_int_equal(chdir(".."), 0);
}

static void any_failure_leaves_no_vocabulary(void **state)
{
    static const enum tsl_train_kind kinds[] = { TSL_TRAIN_BYTEBPE, TSL_TRAIN_UNIGRAM };
    (void)state;
    assert_int_equal(chdir("work"), 0);
    for (size_t i = 0; i < 2; i++) {
        for (unsigned nth = 1;; nth = fault_next(nth)) {
            struct tsl_err err = { 0 };
            struct tsl_trainjob_stats st;
            const struct tsl_trainjob_opts o = job_of(kinds[i]);
            fault_arm(nth, NULL);
            int rc = tsl_trainjob_run(&o, &st, &err);
            const char *call = fault_disarm();
            if (rc == 0) {
                /* a list that could not be made smaller is as good */
                assert_true(!call || fault_is_harmless(call) ||
                            strcmp(call, "realloc") == 0);
                assert_int_equal(system("rm -r d"), 0);
            } else {
                assert_true(err.msg[0] != '\0');
            }
            assert_true(folder_is_empty("."));
            if (!call)
                break;
        }
    }
    assert_int_equal(chdir(".."), 0);
}

#define IN_FOLDER(f) cmocka_unit_test_setup_teardown(f, enter, test_leave_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(every_kind_is_trained),
        IN_FOLDER(most_frequent_pairs_come_first),
        IN_FOLDER(rare_words_can_be_left_out),
        IN_FOLDER(counts_made_before_are_added),
        IN_FOLDER(what_cannot_be_trained_is_told),
        IN_FOLDER(any_failure_leaves_no_vocabulary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
