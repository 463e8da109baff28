#include "tensor/params.h"

#include <math.h>
#include <string.h>

#include "support/fault.h"
#include "support/test.h"

static int add(struct tsl_params *p, const char *name, int64_t n, struct tsl_err *err)
{
    return tsl_params_add(p, name, 1, &n, err);
}

static void numbers_are_by_seed_name_and_place(void **state)
{
    (void)state;
    enum { N = 5000 };
    struct tsl_params a = { 0 }, b = { 0 };
    struct tsl_err err = { 0 };
    assert_ok(add(&a, "w", N, &err), &err);
    assert_ok(add(&b, "before", 7, &err), &err);
    assert_ok(add(&b, "w", N, &err), &err);
    assert_ok(add(&b, "ones", 7, &err), &err);
    a.item[0].init_std = b.item[1].init_std = b.item[0].init_std = 0.5f;
    b.item[2].init_value = 1;
    assert_ok(tsl_params_alloc(&a, &err), &err);
    assert_ok(tsl_params_alloc(&b, &err), &err);
    tsl_params_init(&a, 3);
    tsl_params_init(&b, 3);
    assert_memory_equal(a.item[0].value, b.item[1].value, N * sizeof(float));
    assert_memory_not_equal(b.item[0].value, b.item[1].value, 7 * sizeof(float));
    assert_float_equal(b.item[2].value[6], 1, 0);
    double sum = 0, square = 0;
    for (unsigned i = 0; i < N; i++) {
        double x = (double)a.item[0].value[i];
        assert_true(fabs(x) <= 1);
        sum += x;
        square += x * x;
    }
    assert_float_equal(sum / N, 0, 0.03);
    assert_float_equal(sqrt(square / N), 0.5 * 0.8796, 0.02);
    tsl_params_init(&b, 4);
    assert_memory_not_equal(a.item[0].value, b.item[1].value, N * sizeof(float));
    tsl_params_fini(&a);
    tsl_params_fini(&b);
}

static void each_begins_at_64_bytes_and_frozen_ones_have_no_gradient(void **state)
{
    (void)state;
    struct tsl_params p = { 0 };
    struct tsl_err err = { 0 };
    assert_ok(add(&p, "a", 5, &err), &err);
    assert_ok(add(&p, "b", 33, &err), &err);
    assert_ok(add(&p, "c", 1, &err), &err);
    p.item[1].frozen = true;
    assert_ok(tsl_params_alloc(&p, &err), &err);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal((uintptr_t)p.item[i].value % 64, 0);
        assert_true((p.item[i].grad == NULL) == (i == 1));
    }
    assert_true(tsl_params_find(&p, "b") == &p.item[1]);
    assert_null(tsl_params_find(&p, "d"));
    tsl_params_fini(&p);
}

static void what_cannot_be_a_parameter_is_told(void **state)
{
    (void)state;
    struct tsl_params p = { 0 };
    struct tsl_err err = { 0 };
    assert_ok(add(&p, "a", 5, &err), &err);
    assert_err(add(&p, "a", 5, &err), TSL_EUSAGE, &err, "a");
    assert_err(add(&p, "b", 0, &err), TSL_EUSAGE, &err, "b");
    assert_err(tsl_params_add(&p, "c", 6, (int64_t[]){ 1, 1, 1, 1, 1, 1 }, &err),
               TSL_EUSAGE, &err, "c");
    /* each alone would do, but their bytes do not fit size_t */
    const int64_t large[] = { INT32_MAX, 1 << 26 };
    assert_ok(tsl_params_add(&p, "d", 2, large, &err), &err);
    assert_err(tsl_params_add(&p, "e", 2, (int64_t[]){ INT32_MAX, INT32_MAX }, &err),
               TSL_EUSAGE, &err, "e");
    int rc = 1;
    for (char name[] = "f"; rc > 0 && name[0] <= 'z'; name[0]++)
        rc = tsl_params_add(&p, name, 2, large, &err);
    assert_err(rc, TSL_EUSAGE, &err, "parameters");
    tsl_params_fini(&p);
}

static void running_out_of_memory_is_reported(void **state)
{
    (void)state;
    for (unsigned nth = 1;; nth++) {
        struct tsl_params p = { 0 };
        struct tsl_err err = { 0 };
        fault_arm(nth, "calloc realloc mmap");
        int rc = add(&p, "a", 5000, &err);
        if (rc >= 0)
            rc = tsl_params_alloc(&p, &err);
        const char *call = fault_disarm();
        tsl_params_fini(&p);
        if (!call)
            break;
        assert_err(rc, TSL_ENOMEM, &err, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(numbers_are_by_seed_name_and_place),
        TEST(each_begins_at_64_bytes_and_frozen_ones_have_no_gradient),
        TEST(what_cannot_be_a_parameter_is_told),
        TEST(running_out_of_memory_is_reported),
    };
    return cmocka_run_group_tests_name("params", tests, NULL, NULL);
}
