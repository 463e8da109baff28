#include "shuf/temppack.h"

#include "support/test.h"

enum { BLOCK = 128 << 10, THREADS = 2 };

/* A run on a made-up machine.  A block shrinks to share; per block the disk takes disk_s
 * for what is written (the input comes from it, too), the shuffle cpu_s of a processor,
 * packing pack_s.  Returns the share of the last 1,000 of n blocks that were packed. */
struct machine {
    double share, disk_s, cpu_s, pack_s;
};

static double packed_share(struct tsl_temppack *t, const struct machine *m, int n)
{
    double wall = t->wall > 0 ? t->wall : 100, cpu = t->cpu; /* the clocks go on */
    int packed = 0;
    for (int i = 0; i < n; i++) {
        size_t bytes = BLOCK;
        double busy = m->cpu_s, disk = m->disk_s;
        if (tsl_temppack_next(t)) {
            bytes = (size_t)(BLOCK * m->share);
            tsl_temppack_packed(t, m->pack_s, BLOCK, bytes);
            busy += m->pack_s;
            packed += i >= n - 1000;
        }
        disk += m->disk_s * (double)bytes / BLOCK;
        wall += disk > busy / THREADS ? disk : busy / THREADS;
        cpu += busy;
        /* four writers: each waits for the others' blocks, too */
        tsl_temppack_written(t, 4 * m->disk_s * (double)bytes / BLOCK, BLOCK, bytes, wall,
                             cpu);
    }
    return packed / 1000.0;
}

static void check(const struct machine *m, double least, double most)
{
    struct tsl_temppack t;
    tsl_temppack_init(&t, THREADS, false);
    double share = packed_share(&t, m, 20000);
    if (share < least || share > most)
        fail_msg("disk %g ms, cpu %g ms, pack %g ms, share %g: %g of all packed",
                 m->disk_s * 1e3, m->cpu_s * 1e3, m->pack_s * 1e3, m->share, share);
}

static void a_slow_disk_has_blocks_packed(void **state)
{
    (void)state;
    check(&(struct machine){ .55, 300e-6, 100e-6, 180e-6 }, 1, 1);
    check(&(struct machine){ .8, 3000e-6, 500e-6, 180e-6 }, 1, 1);
}

static void busy_processors_have_them_left_raw(void **state)
{
    (void)state;
    check(&(struct machine){ .55, 100e-6, 900e-6, 180e-6 }, 0, 0.01);
    check(&(struct machine){ .55, 10e-6, 50e-6, 180e-6 }, 0, 0.01);
}

static void processors_that_others_use_have_them_left_raw(void **state)
{
    const struct machine m = { .55, 300e-6, 100e-6, 180e-6 };
    struct tsl_temppack t;
    (void)state;
    tsl_temppack_init(&t, THREADS, false);
    tsl_temppack_waited(&t, 0.01, 0.04); /* four times as long as it ran */
    assert_true(packed_share(&t, &m, 5000) < 0.01);
    for (int i = 0; i < 50; i++)
        tsl_temppack_waited(&t, 0.01, 0.001);
    assert_true(packed_share(&t, &m, 5000) == 1);
}

static void between_the_two_as_many_are_packed_as_there_is_time_for(void **state)
{
    (void)state;
    check(&(struct machine){ .55, 150e-6, 350e-6, 180e-6 }, 0.1, 0.9);
}

static void what_does_not_shrink_stays_raw_but_for_a_probe_now_and_then(void **state)
{
    (void)state;
    check(&(struct machine){ .95, 3000e-6, 100e-6, 180e-6 }, 0.001, 0.003);
    check(&(struct machine){ 1, 3000e-6, 100e-6, 180e-6 }, 0.001, 0.003);
}

static void data_that_begin_to_shrink_are_found_out(void **state)
{
    struct tsl_temppack t;
    struct machine m = { 1, 1000e-6, 100e-6, 180e-6 };
    (void)state;
    tsl_temppack_init(&t, THREADS, false);
    assert_true(packed_share(&t, &m, 20000) < 0.01);
    m.share = 0.5;
    assert_true(packed_share(&t, &m, 20000) == 1);
    m.share = 1;
    assert_true(packed_share(&t, &m, 20000) < 0.01);
}

static void what_must_be_small_is_always_packed(void **state)
{
    struct tsl_temppack t;
    const struct machine m = { 1, 1e-6, 900e-6, 180e-6 };
    (void)state;
    tsl_temppack_init(&t, THREADS, true);
    assert_true(packed_share(&t, &m, 5000) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_slow_disk_has_blocks_packed),
        TEST(busy_processors_have_them_left_raw),
        TEST(processors_that_others_use_have_them_left_raw),
        TEST(between_the_two_as_many_are_packed_as_there_is_time_for),
        TEST(what_does_not_shrink_stays_raw_but_for_a_probe_now_and_then),
        TEST(data_that_begin_to_shrink_are_found_out),
        TEST(what_must_be_small_is_always_packed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
