#include "CHashes.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The few types and functions of libcrypto's stable interface (OpenSSL 3) that are used.
typedef struct OSSL_LIB_CTX OSSL_LIB_CTX;
typedef struct EVP_MD EVP_MD;
typedef struct EVP_MD_CTX EVP_MD_CTX;
enum { no_load_config = 0x80, no_atexit = 0x80000 };

enum { functions = 4, longest_block = 128 };
static const char *const names[functions] = {"MD5", "SHA1", "SHA2-256", "SHA2-512/256"};
static const size_t blocks[functions] = {64, 64, 64, 128};
static const size_t lengths[functions] = {16, 20, 32, 32};

typedef struct {
    int (*init_crypto)(uint64_t options, const void *settings);
    OSSL_LIB_CTX *(*library_new)(void);
    EVP_MD *(*fetch)(OSSL_LIB_CTX *, const char *name, const char *properties);
    EVP_MD_CTX *(*context_new)(void);
    void (*context_free)(EVP_MD_CTX *);
    int (*begin)(EVP_MD_CTX *, const EVP_MD *, void *);
    int (*update)(EVP_MD_CTX *, const void *, size_t);
    int (*finish)(EVP_MD_CTX *, unsigned char *, unsigned *);
    EVP_MD *fetched[functions];
    const char *problem;
} ch_library;

static ch_library load(const char *name) {
    ch_library library = {0};
    void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        library.problem = "libcrypto.so.3 (OpenSSL 3), which computes MD5, SHA-1 and SHA-256, cannot be loaded; install the package libssl3";
        return library;
    }
    library.init_crypto = dlsym(handle, "OPENSSL_init_crypto");
    library.library_new = dlsym(handle, "OSSL_LIB_CTX_new");
    library.fetch = dlsym(handle, "EVP_MD_fetch");
    library.context_new = dlsym(handle, "EVP_MD_CTX_new");
    library.context_free = dlsym(handle, "EVP_MD_CTX_free");
    library.begin = dlsym(handle, "EVP_DigestInit_ex");
    library.update = dlsym(handle, "EVP_DigestUpdate");
    library.finish = dlsym(handle, "EVP_DigestFinal_ex");
    if (!library.init_crypto || !library.library_new || !library.fetch || !library.context_new || !library.context_free ||
        !library.begin || !library.update || !library.finish) {
        library.problem = "libcrypto.so.3 lacks functions of OpenSSL 3; install the package libssl3";
        return library;
    }
    // What libcrypto takes down when the program ends, a thread may still be using. A context of its own reads no configuration: MD5 and SHA-1
    // are what SIP and STUN prescribe, whatever the machine allows for TLS.
    library.init_crypto(no_load_config | no_atexit, NULL);
    OSSL_LIB_CTX *own = library.library_new();
    for (int i = 0; i < functions; i++) {
        library.fetched[i] = own ? library.fetch(own, names[i], NULL) : NULL;
        if (!library.fetched[i])
            library.problem = "libcrypto.so.3 offers no MD5, SHA-1, SHA-256 or SHA-512/256; install the package libssl3 of the distribution";
    }
    return library;
}

static ch_library library;
static pthread_once_t once = PTHREAD_ONCE_INIT;
// A thread's contexts are freed when it ends.
static pthread_key_t ending;
static _Thread_local EVP_MD_CTX *contexts[functions];

static void free_contexts(void *of_thread) {
    EVP_MD_CTX **ended = of_thread;
    for (int i = 0; i < functions; i++) {
        library.context_free(ended[i]);
        ended[i] = NULL;
    }
}

static void load_once(void) {
    library = load("libcrypto.so.3");
    if (!library.problem && pthread_key_create(&ending, free_contexts)) library.problem = "no thread-specific key is left for the hashes' contexts";
}

const char *ch_problem(void) {
    pthread_once(&once, load_once);
    return library.problem;
}

const char *ch_problem_with(const char *name) { return load(name).problem; }

static _Noreturn void fail(const char *problem) {
    fprintf(stderr, "pinhole: %s.\n", problem);
    exit(1);
}

static EVP_MD_CTX *make_context(ch_function function) {
    const char *problem = ch_problem();
    if (problem) fail(problem);
    EVP_MD_CTX *context = library.context_new();
    if (!context || !library.begin(context, library.fetched[function], NULL) || pthread_setspecific(ending, contexts))
        fail("there is no memory for a hash's context");
    contexts[function] = context;
    return context;
}

/// The hash of two pieces, one after the other.
static void hash(
    ch_function function, const void *first, size_t first_count, const void *second, size_t second_count, uint8_t *value
) {
    EVP_MD_CTX *context = contexts[function];
    if (!context) context = make_context(function);
    // Without a function named anew, the context keeps what it holds for its own.
    if (!library.begin(context, NULL, NULL) || !library.update(context, first, first_count) ||
        !library.update(context, second, second_count) || !library.finish(context, value, NULL))
        fail("libcrypto could not compute a hash");
}

void ch_hash(ch_function function, const void *bytes, size_t count, uint8_t *value) { hash(function, bytes, count, NULL, 0, value); }

void ch_hmac(ch_function function, const void *key, size_t key_count, const void *bytes, size_t count, uint8_t *code) {
    size_t block = blocks[function];
    uint8_t pad[longest_block] = {0}, inner[32];
    if (key_count > block)
        hash(function, key, key_count, NULL, 0, pad);
    else if (key_count > 0)
        memcpy(pad, key, key_count);
    for (size_t i = 0; i < block; i++) pad[i] ^= 0x36;
    hash(function, pad, block, bytes, count, inner);
    for (size_t i = 0; i < block; i++) pad[i] ^= 0x36 ^ 0x5c;
    hash(function, pad, block, inner, lengths[function], code);
}
