#include "support/test.h"

#include <inttypes.h>

#include "shuf/shufplan.h"

/* What is beside the user's number: shufjob.h. */
enum { FIXED = 16 << 20 };

typedef void check(const struct tsl_shufplan_in *in, const struct tsl_shufplan *p);

/* Every plan of a grid: memory from nothing to a terabyte, any input, threads and parts.
 */
static void every_plan(check *c)
{
    static const uint64_t inputs[] = { 0,
                                       1,
                                       1000,
                                       1 << 20,
                                       100 << 20,
                                       UINT64_C(1) << 32,
                                       UINT64_C(1) << 40,
                                       UINT64_C(1) << 50 };
    static const unsigned threads[] = { 0, 1, 2, 3, 8, 64, 1000 };
    static const size_t parts[] = { 1, 2, 63 };
    for (uint64_t memory = 1; memory < UINT64_C(1) << 40;
         memory = memory * 3 + memory / 5)
        for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
            for (size_t t = 0; t < sizeof threads / sizeof *threads; t++)
                for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
                    struct tsl_shufplan_in in = { memory, threads[t], parts[k],
                                                  inputs[i] };
                    struct tsl_shufplan p = tsl_shufplan_make(&in);
                    c(&in, &p);
                }
}

static void check_memory(const struct tsl_shufplan_in *in, const struct tsl_shufplan *p)
{
    uint64_t window = p->window_max > 8 << 20 ? p->window_max - (8 << 20) : 0;
    uint64_t all = p->batches_bytes + p->store_bytes + window;
    if (all > in->memory + FIXED)
        print_error("memory %" PRIu64 ", %u threads, %zu parts: %" PRIu64 "\n",
                    in->memory, in->nthreads, in->nparts, all);
    assert_true(all <= in->memory + FIXED);
    assert_true(p->store_bytes <= p->memory);
    assert_true(p->batches_bytes >= p->nbatches * (p->batch_bytes + 8 * p->batch_rows));
}

static void no_plan_takes_more_than_the_memory(void **state)
{
    (void)state;
    every_plan(check_memory);
}

static void check_chunks(const struct tsl_shufplan_in *in, const struct tsl_shufplan *p)
{
    (void)in;
    assert_true(p->chunk_bytes >= 4096 && (p->chunk_bytes & (p->chunk_bytes - 1)) == 0);
    assert_true(p->chunk_bytes <= p->batch_bytes); /* so that no row falls between them */
    assert_true(p->batch_bytes >= 4096 && p->batch_rows >= 1);
    assert_true(p->nthreads >= 1 && p->nwriters >= 1 && p->nbatches > p->nthreads);
    assert_true(p->log_buckets <= 20);
    /* the chunks being filled, by all threads in all buckets, leave others to be written
     */
    uint64_t filled = (uint64_t)p->nthreads * p->chunk_bytes << p->log_buckets;
    assert_true(filled <= p->store_bytes / 2);
    assert_true(p->store_bytes / p->chunk_bytes >= 8);
}

static void every_plan_can_be_carried_out(void **state)
{
    (void)state;
    every_plan(check_chunks);
}

static void check_expectations(const struct tsl_shufplan_in *in,
                               const struct tsl_shufplan *p)
{
    assert_in_range(p->passes, 1, 3);
    if (in->input_bytes == 0) {
        assert_true(p->bucket_bytes == 0 && p->temp_bytes == 0);
        return;
    }
    if (in->input_bytes > p->memory)
        assert_true(p->passes > 1 && p->temp_bytes > 0);
    if (p->passes == 1)
        assert_true(p->temp_bytes == 0);
    assert_true(p->temp_bytes <= in->input_bytes + in->input_bytes / 10 + 1);
}

static void temporary_space_is_expected_where_memory_does_not_do(void **state)
{
    (void)state;
    every_plan(check_expectations);
}

static void a_small_input_stays_in_memory(void **state)
{
    struct tsl_shufplan_in in = { 256 << 20, 2, 1, 50 << 20 };
    (void)state;
    assert_int_equal(tsl_shufplan_make(&in).passes, 1);
}

static void two_passes_do_for_four_hundred_times_the_memory(void **state)
{
    struct tsl_shufplan_in in = { 256 << 20, 2, 1, UINT64_C(100) << 30 };
    (void)state;
    assert_int_equal(tsl_shufplan_make(&in).passes, 2);
}

static void a_plan_is_a_function_of_its_numbers(void **state)
{
    struct tsl_shufplan_in in = { 64 << 20, 4, 1, 1 << 30 }, more = in;
    (void)state;
    more.memory *= 8;
    struct tsl_shufplan a = tsl_shufplan_make(&in), other = tsl_shufplan_make(&more),
                        b = tsl_shufplan_make(&in);
    assert_true(a.chunk_bytes == b.chunk_bytes && a.log_buckets == b.log_buckets &&
                a.store_bytes == b.store_bytes && a.batch_bytes == b.batch_bytes);
    assert_true(other.store_bytes > 4 * a.store_bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_plan_takes_more_than_the_memory),
        TEST(every_plan_can_be_carried_out),
        TEST(temporary_space_is_expected_where_memory_does_not_do),
        TEST(a_small_input_stays_in_memory),
        TEST(two_passes_do_for_four_hundred_times_the_memory),
        TEST(a_plan_is_a_function_of_its_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
