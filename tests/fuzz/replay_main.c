/* replay_main.c - a fuzz target without the fuzzer: each file named, or each file of each
 * named, is fed to the target once.  So `make check` keeps what fuzzing found, with any
 * compiler. A target that fails aborts, as under the fuzzer; the last line printed names
 * the file. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void die(const char *what, const char *path)
{
    fprintf(stderr, "replay: %s: %s: %s\n", path, what, strerror(errno));
    exit(1);
}

static void replay_file(const char *path, size_t size)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        die("cannot open", path);
    /* Exactly as large as the input, so that a sanitizer sees one byte too many. */
    uint8_t *data = malloc(size);
    if (data == NULL && size > 0)
        die("cannot hold", path);
    if (fread(data, 1, size, f) != size)
        die("cannot read", path);
    fclose(f);
    printf("%s\n", path);
    fflush(stdout);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
}

static unsigned replay(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        die("cannot look at", path);
    if (!S_ISDIR(st.st_mode)) {
        replay_file(path, (size_t)st.st_size);
        return 1;
    }
    struct dirent **names;
    int n = scandir(path, &names, NULL, alphasort);
    if (n < 0)
        die("cannot list", path);
    unsigned nfiles = 0;
    for (int i = 0; i < n; i++) {
        char *inner;
        if (asprintf(&inner, "%s/%s", path, names[i]->d_name) < 0)
            die("cannot name", path);
        if (names[i]->d_name[0] != '.')
            nfiles += replay(inner);
        free(inner);
        free(names[i]);
    }
    free(names);
    return nfiles;
}

int main(int argc, char **argv)
{
    unsigned nfiles = 0;
    for (int i = 1; i < argc; i++)
        nfiles += replay(argv[i]);
    if (nfiles == 0) {
        fprintf(stderr, "replay: no input\n");
        return 1;
    }
    return 0;
}
