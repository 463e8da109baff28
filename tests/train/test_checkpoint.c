#include "support/test.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/outfolder.h"
#include "support/fault.h"
#include "train/checkpoint.h"

/* A small model: its numbers tell the step that it was saved at. */
static float weight[6], bias[3], moment[6];
static uint64_t steps;
static const int64_t dim[2] = { 2, 3 }, three[1] = { 3 };
static const struct tsl_ckpt_array model[] = { { "w", TSL_ST_F32, 2, dim, weight },
                                               { "b", TSL_ST_F32, 1, three, bias } };
static const struct tsl_ckpt_array optimizer[] = {
    { "exp_avg.w", TSL_ST_F32, 2, dim, moment }, { "step", TSL_ST_U64, 0, NULL, &steps }
};
static const struct tsl_ckpt_data data[] = { { "en/manifest.json", 0xfedcba9876543210 },
                                             { "a \"b\"", 1 } };

static void set_numbers(float x)
{
    for (int i = 0; i < 6; i++) {
        weight[i] = x + (float)i;
        moment[i] = -x;
    }
    for (int i = 0; i < 3; i++)
        bias[i] = x;
    steps = (uint64_t)(int64_t)x;
}

/* what tells one checkpoint of a step from another */
static int save_as(uint64_t step, uint64_t what, struct tsl_err *err)
{
    const struct tsl_ckpt_content c = {
        .state = { .step = step,
                   .samples = 32 * step,
                   .tokens = 4096 * step,
                   .seed = UINT64_MAX - 1,
                   .options = what,
                   .data = data,
                   .ndata = 2,
                   .version = "teasel 1",
                   .extra = "{\"best\": 0.10000000001234567}" },
        .config = "{\"model_type\": \"bert\"}\n",
        .model = model,
        .optimizer = optimizer,
        .nmodel = 2,
        .noptimizer = 2,
    };
    set_numbers((float)(step + what));
    return tsl_ckpt_save("run", &c, err);
}

static int save(uint64_t step, struct tsl_err *err)
{
    return save_as(step, 0, err);
}

static void must_save(uint64_t step)
{
    struct tsl_err err = { 0 };
    assert_ok(save(step, &err), &err);
}

/* The newest whole one is step's, and its numbers are, too. */
static void must_be(const struct tsl_ckpt *k, uint64_t step, uint64_t what)
{
    struct tsl_err err = { 0 };
    const float x = (float)(step + what);
    assert_int_equal(k->state.step, step);
    assert_int_equal(k->state.options, what);
    set_numbers(-5);
    assert_ok(tsl_ckpt_load(k, TSL_CKPT_MODEL, model, 2, &err), &err);
    assert_ok(tsl_ckpt_load(k, TSL_CKPT_OPTIMIZER, optimizer, 2, &err), &err);
    assert_true(weight[5] == x + 5 && bias[2] == x && moment[0] == -x);
    assert_int_equal(steps, step + what);
}

static void newest_is(uint64_t step)
{
    struct tsl_err err = { 0 };
    struct tsl_ckpt k;
    int rc = tsl_ckpt_find(&k, "run", &err);
    assert_ok(rc, &err);
    assert_int_equal(rc, 1);
    must_be(&k, step, 0);
    assert_string_equal(k.damaged, "");
    tsl_ckpt_close(&k);
}

static bool there(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

static void a_saved_run_comes_back(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_ckpt k;
    (void)state;
    assert_int_equal(tsl_ckpt_find(&k, "run", &err), 0); /* no folder: no checkpoint */
    assert_int_equal(mkdir("run", 0777), 0);
    assert_int_equal(tsl_ckpt_find(&k, "run", &err), 0);
    must_save(1000);
    assert_int_equal(folder_count("run"), 1);
    assert_int_equal(folder_count("run/checkpoint-00001000"), 4);
    assert_int_equal(tsl_ckpt_find(&k, "run", &err), 1);
    assert_string_equal(k.path, "run/checkpoint-00001000");
    assert_int_equal(k.state.samples, 32000);
    assert_int_equal(k.state.tokens, 4096000);
    assert_int_equal(k.state.seed, UINT64_MAX - 1);
    assert_int_equal(k.state.ndata, 2);
    assert_string_equal(k.state.data[1].name, "a \"b\"");
    assert_int_equal(k.state.data[0].hash, 0xfedcba9876543210);
    assert_string_equal(k.state.version, "teasel 1");
    assert_string_equal(k.state.extra, "{\"best\": 0.10000000001234567}");
    char *config = tsl_ckpt_config(&k, &err);
    assert_string_equal(config, "{\"model_type\": \"bert\"}\n");
    tsl_mem_free(config);
    must_be(&k, 1000, 0);
    tsl_ckpt_close(&k);
    tsl_ckpt_close(&k);
}

static void the_same_state_gives_the_same_bytes(void **state)
{
    static const char *const names[] = { TSL_CKPT_MODEL, TSL_CKPT_CONFIG,
                                         TSL_CKPT_OPTIMIZER, TSL_CKPT_STATE };
    (void)state;
    assert_int_equal(mkdir("run", 0777), 0);
    must_save(7);
    assert_int_equal(rename("run/checkpoint-00000007", "first"), 0);
    must_save(7);
    for (int i = 0; i < 4; i++) {
        char a[64], b[64];
        size_t n;
        snprintf(a, sizeof a, "first/%s", names[i]);
        snprintf(b, sizeof b, "run/checkpoint-00000007/%s", names[i]);
        uint8_t *p = file_get(a, &n);
        assert_non_null(p);
        assert_true(file_is(b, p, n));
        free(p);
    }
}

static void old_ones_go_and_some_stay(void **state)
{
    struct tsl_err err = { 0 };
    (void)state;
    assert_int_equal(mkdir("run", 0777), 0);
    for (uint64_t step = 10; step <= 100; step += 10)
        must_save(step);
    assert_int_equal(mkdir("run/checkpoint-00000015.tmp", 0777), 0);
    file_put_text("run/checkpoint-00000015.tmp/model.safetensors", "half");
    assert_int_equal(mkdir("run/checkpoint-00000005.gone", 0777), 0);
    assert_int_equal(mkdir("run/checkpoint-10", 0777), 0); /* not ours */
    file_put_text("run/metrics.jsonl", "");
    /* of the run that goes on at 50, those after it are none of its */
    assert_ok(tsl_ckpt_prune("run", 50, 2, 30, &err), &err);
    assert_false(there("run/checkpoint-00000010"));
    assert_false(there("run/checkpoint-00000020"));
    assert_true(there("run/checkpoint-00000030"));
    assert_true(there("run/checkpoint-00000040"));
    assert_true(there("run/checkpoint-00000050"));
    assert_int_equal(folder_count("run"), 8 + 2);
    assert_ok(tsl_ckpt_drop_from("run", 61, &err), &err);
    newest_is(60);
    assert_int_equal(folder_count("run"), 4 + 2);
    assert_ok(tsl_ckpt_prune("run", 60, 0, 0, &err), &err); /* all */
    assert_int_equal(folder_count("run"), 4 + 2);
    assert_ok(tsl_ckpt_prune("run", 60, 1, 0, &err), &err);
    assert_int_equal(folder_count("run"), 1 + 2);
    newest_is(60);
    must_save(100000000); /* more digits: by number, not by name */
    newest_is(100000000);
}

static void damage_is_named_and_the_one_before_is_found(void **state)
{
    static const char *const names[] = { TSL_CKPT_MODEL, TSL_CKPT_CONFIG,
                                         TSL_CKPT_OPTIMIZER, TSL_CKPT_STATE };
    (void)state;
    assert_int_equal(mkdir("run", 0777), 0);
    must_save(1);
    must_save(2);
    for (int i = 0; i < 4; i++)
        for (int how = 0; how < 3; how++) {
            struct tsl_err err = { 0 };
            struct tsl_ckpt k;
            char path[64];
            size_t n;
            snprintf(path, sizeof path, "run/checkpoint-00000002/%s", names[i]);
            uint8_t *p = file_get(path, &n);
            p[n / 2] ^= 1;
            if (how == 2)
                unlink(path);
            else
                unlink(path), file_put(path, p, how ? n : n / 2);
            assert_int_equal(tsl_ckpt_find(&k, "run", &err), 1);
            assert_string_equal(k.path, "run/checkpoint-00000001");
            must_be(&k, 1, 0);
            assert_non_null(strstr(k.damaged, path));
            assert_non_null(
                strstr(k.damaged, "the newest whole one is run/checkpoint-00000001"));
            tsl_ckpt_close(&k);
            assert_int_equal(rename("run/checkpoint-00000001", "away"), 0);
            int rc = tsl_ckpt_find(&k, "run", &err);
            assert_err(rc, rc, &err, "no checkpoint of run is whole: run/checkpoint-");
            assert_true(rc < 0);
            assert_int_equal(rename("away", "run/checkpoint-00000001"), 0);
            p[n / 2] ^= 1;
            file_put(path, p, n);
            free(p);
        }
    newest_is(2);
}

static void every_damaged_byte_of_the_state_is_noticed(void **state)
{
    size_t n;
    (void)state;
    assert_int_equal(mkdir("run", 0777), 0);
    must_save(1);
    uint8_t *p = file_get("run/checkpoint-00000001/state.json", &n);
    for (size_t i = 0; i < n; i += 1 + test_thrift() / 2) {
        struct tsl_err err = { 0 };
        struct tsl_ckpt k;
        p[i] ^= 4;
        file_put("run/checkpoint-00000001/state.json", p, n);
        assert_err(tsl_ckpt_open(&k, "run/checkpoint-00000001", &err), TSL_EVERIFY, &err,
                   "run/checkpoint-00000001/state.json: its checksum does not fit");
        p[i] ^= 4;
    }
    free(p);
}

static void what_does_not_fit_is_named(void **state)
{
    struct tsl_err err = { 0 };
    static const int64_t other[2] = { 3, 2 };
    static double wide[6];
    char name[40][24];
    struct tsl_ckpt_array many[40];
    struct tsl_ckpt k;
    (void)state;
    assert_int_equal(mkdir("run", 0777), 0);
    must_save(1);
    assert_ok(tsl_ckpt_open(&k, "run/checkpoint-00000001", &err), &err);
    struct tsl_ckpt_array a[3] = { model[0],
                                   model[1],
                                   { "c", TSL_ST_F32, 0, NULL, bias } };
    set_numbers(-5);
    assert_err(
        tsl_ckpt_load(&k, TSL_CKPT_MODEL, a, 3, &err), TSL_EFORMAT, &err,
        "run/checkpoint-00000001/model.safetensors: 1 of 3 tensors are missing: c");
    assert_err(tsl_ckpt_load(&k, TSL_CKPT_MODEL, a, 1, &err), TSL_EFORMAT, &err,
               "1 tensors that do not belong here: b");
    a[0].dim = other;
    assert_err(tsl_ckpt_load(&k, TSL_CKPT_MODEL, a, 2, &err), TSL_EFORMAT, &err,
               "tensor w is F32 [2, 3]; wanted is F32 [3, 2]");
    a[0].dim = dim;
    a[0].type = TSL_ST_F64;
    a[0].data = wide;
    assert_err(tsl_ckpt_load(&k, TSL_CKPT_MODEL, a, 2, &err), TSL_EFORMAT, &err,
               "tensor w is F32 [2, 3]; wanted is F64 [2, 3]");
    assert_true(weight[0] == -5 && bias[0] == -5); /* nothing was touched */
    assert_ok(tsl_ckpt_load_file("run/checkpoint-00000001/model.safetensors", model, 1,
                                 true, &err),
              &err);
    assert_true(weight[0] == 1 && bias[0] == -5);
    for (int i = 0; i < 40; i++) {
        snprintf(name[i], sizeof name[i], "layer.%d.some.name", i);
        many[i] = (struct tsl_ckpt_array){ name[i], TSL_ST_F32, 0, NULL, bias };
    }
    assert_err(tsl_ckpt_load(&k, TSL_CKPT_MODEL, many, 40, &err), TSL_EFORMAT, &err,
               "40 of 40 tensors are missing: layer.0.some.name, layer.1.some.name, ");
    tsl_ckpt_close(&k);
}

/* Weights of others, in 64 or 16 bits. */
static void floats_are_filled_from_any_fraction(void **state)
{
    struct tsl_err err = { 0 };
    static const double w[6] = { 1, 2, 3, 4, 5, 0.1 };
    static const uint16_t b[3] = { 0x3f80, 0xbf80, 0x4000 };
    const struct tsl_safetensors_array arrays[] = { { "w", TSL_ST_F64, 2, dim, w },
                                                    { "b", TSL_ST_BF16, 1, three, b } };
    (void)state;
    assert_ok(tsl_safetensors_write("x", arrays, 2, NULL, 0, NULL, &err), &err);
    assert_ok(tsl_ckpt_load_file("x", model, 2, false, &err), &err);
    assert_true(weight[5] == 0.1f && weight[0] == 1 && bias[1] == -1 && bias[2] == 2);
}

static void any_failure_leaves_what_was_whole(void **state)
{
    (void)state;
    assert_int_equal(mkdir("run", 0777), 0);
    must_save(1);
    for (unsigned nth = 1;; nth = fault_next(nth)) {
        struct tsl_err err = { 0 };
        fault_arm(nth, NULL);
        int rc = save(2, &err);
        const char *call = fault_disarm();
        if (!call) {
            assert_ok(rc, &err);
            break;
        }
        assert_true(rc == 0 ? fault_is_harmless(call) : err.code == rc && err.msg[0]);
        bool second = there("run/checkpoint-00000002");
        /* once it has its name it is whole: only syncing the folder comes after */
        assert_true(rc < 0 || second);
        newest_is(second ? 2 : 1);
        assert_int_equal(folder_count("run"), 1 + second);
        assert_ok(tsl_ckpt_drop_from("run", 2, &err), &err);
    }
}

static void any_failure_of_replacing_leaves_one_of_both(void **state)
{
    (void)state;
    assert_int_equal(mkdir("run", 0777), 0);
    must_save(1);
    for (unsigned nth = 1;; nth = fault_next(nth)) {
        struct tsl_err err = { 0 };
        struct tsl_ckpt k;
        fault_arm(nth, NULL);
        int rc = save_as(1, 9, &err);
        const char *call = fault_disarm();
        /* realloc: only for clearing away the one that was replaced, which the next one does */
        assert_true(rc == 0 ? !call || fault_is_harmless(call) || !strcmp(call, "realloc")
                            : err.code == rc && err.msg[0]);
        err = (struct tsl_err){ 0 };
        assert_int_equal(tsl_ckpt_find(&k, "run", &err), 1);
        must_be(&k, 1, rc < 0 ? k.state.options : 9);
        assert_string_equal(k.damaged, "");
        tsl_ckpt_close(&k);
        if (!call)
            break;
        must_save(1);
        assert_int_equal(folder_count("run"), 1);
    }
}

/* Runs save, and what comes with it, in a child that ends at its nth call; true: it was killed. */
static bool killed_at(unsigned nth, uint64_t step, uint64_t what, bool prune)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        fault_kill(nth);
        int rc = save_as(step, what, NULL);
        if (rc == 0 && prune)
            rc = tsl_ckpt_prune("run", step, 1, 0, NULL);
        _exit(rc == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == FAULT_KILLED);
    return WEXITSTATUS(status) == FAULT_KILLED;
}

static void a_kill_at_any_call_loses_nothing(void **state)
{
    (void)state;
    assert_int_equal(mkdir("run", 0777), 0);
    for (unsigned nth = 1;; nth = fault_next(nth)) {
        struct tsl_err err = { 0 };
        struct tsl_ckpt k;
        must_save(1);
        bool killed = killed_at(nth, 2, 0, true);
        assert_int_equal(tsl_ckpt_find(&k, "run", &err), 1);
        must_be(&k, k.state.step, 0);
        assert_true(k.state.step == 2 || (killed && k.state.step == 1));
        assert_string_equal(k.damaged, "");
        tsl_ckpt_close(&k);
        /* what it left is swept away by the next */
        must_save(3);
        assert_ok(tsl_ckpt_prune("run", 3, 1, 0, &err), &err);
        assert_int_equal(folder_count("run"), 1);
        newest_is(3);
        assert_ok(tsl_outfolder_drop("run/checkpoint-00000003", &err), &err);
        if (!killed)
            break;
    }
}

static void a_kill_while_replacing_leaves_one_of_both(void **state)
{
    (void)state;
    assert_int_equal(mkdir("run", 0777), 0);
    must_save(1);
    for (unsigned nth = 1;; nth = fault_next(nth)) {
        struct tsl_err err = { 0 };
        struct tsl_ckpt k;
        bool killed = killed_at(nth, 1, 9, false);
        assert_int_equal(tsl_ckpt_find(&k, "run", &err), 1);
        must_be(&k, 1, killed ? k.state.options : 9);
        assert_string_equal(k.damaged, "");
        tsl_ckpt_close(&k);
        must_save(1);
        newest_is(1);
        assert_int_equal(folder_count("run"), 1);
        if (!killed)
            break;
    }
}

static void a_full_disk_is_told_and_costs_nothing(void **state)
{
    struct tsl_err err = { 0 };
    (void)state;
    assert_int_equal(mkdir("run", 0777), 0);
    must_save(1);
    fault_disk_is(ENOSPC);
    int rc = save(2, &err);
    fault_disk_is(0);
    assert_err(rc, TSL_EIO, &err, "checkpoint-00000002.tmp/model.safetensors");
    assert_int_equal(folder_count("run"), 1);
    newest_is(1);
}

static int find_and_load(void *ctx, struct tsl_err *err)
{
    struct tsl_ckpt k;
    (void)ctx;
    int rc = tsl_ckpt_find(&k, "run", err);
    if (rc == 1)
        rc = tsl_ckpt_load(&k, TSL_CKPT_MODEL, model, 2, err);
    tsl_ckpt_close(&k);
    return rc;
}

static void no_memory_is_no_damage(void **state)
{
    (void)state;
    assert_int_equal(mkdir("run", 0777), 0);
    must_save(1);
    must_save(2);
    fault_each_allocation(find_and_load, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_saved_run_comes_back),
        TEST(the_same_state_gives_the_same_bytes),
        TEST(old_ones_go_and_some_stay),
        TEST(damage_is_named_and_the_one_before_is_found),
        TEST(every_damaged_byte_of_the_state_is_noticed),
        TEST(what_does_not_fit_is_named),
        TEST(floats_are_filled_from_any_fraction),
        TEST(any_failure_leaves_what_was_whole),
        TEST(any_failure_of_replacing_leaves_one_of_both),
        TEST(a_kill_at_any_call_loses_nothing),
        TEST(a_kill_while_replacing_leaves_one_of_both),
        TEST(a_full_disk_is_told_and_costs_nothing),
        TEST(no_memory_is_no_damage),
    };
    fault_skip_syncs(true);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
