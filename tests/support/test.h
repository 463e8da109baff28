/* test.h - what every unit test includes.  The only includer of cmocka.h.
 *
 * A test function's name is a sentence that must stay true.  TEST(f) runs f in an empty
 * folder of its own, which is gone afterwards, and checks that it left the descriptors as
 * they were. Random tests have fixed seeds; assertions stand on the main thread only, for
 * cmocka leaves a failed test by longjmp. */
#ifndef TSL_TEST_H
#define TSL_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"

/* rc is 0 or more; else err's message is told. */
#define assert_ok(rc, err) test_ok((rc), (err), #rc, __FILE__, __LINE__)

/* rc and err->code are code, and the message is one line that has part in it.  Resets
 * *err. */
#define assert_err(rc, code, err, part)                                                  \
    test_err((rc), (code), (err), (part), #rc, __FILE__, __LINE__)

void test_ok(long long rc, const struct tsl_err *err, const char *what, const char *file,
             int line);
void test_err(long long rc, int code, struct tsl_err *err, const char *part,
              const char *what, const char *file, int line);

/* 1; more where each step takes many times as long, under ThreadSanitizer or an emulator: what
 * a test tries a great many of, it divides by this. */
unsigned test_thrift(void);

#define TEST(f) cmocka_unit_test_setup_teardown(f, test_enter_folder, test_leave_folder)

int test_enter_folder(void **state);
int test_leave_folder(void **state);

/* Names in a folder, "." and ".." not counted. */
size_t folder_count(const char *dir);
bool folder_is_empty(const char *dir);

void file_put(const char *name, const void *p, size_t n);
void file_put_text(const char *name, const char *text);
/* The whole file, one more byte (NUL) behind it; to be freed with free.  NULL: there is
 * none. */
uint8_t *file_get(const char *name, size_t *n);
bool file_is(const char *name, const void *p, size_t n);
bool file_is_text(const char *name, const char *text);
bool file_exists(const char *name);

#endif
