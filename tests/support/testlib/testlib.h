// A small header with testlib's interface, written for these tests: enough for checkers, interactors,
// validators and generators of a few lines. The real one is the user's own.
#pragma once
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <string>
enum TResult { _ok = 0, _wa = 1, _pe = 2, _fail = 3, _dirt = 4, _points = 5, _partially = 16 };
#define _pc(number) (TResult(_partially + (number)))
namespace testlib_double {
enum Mode { NONE, CHECKER, INTERACTOR, VALIDATOR };
inline Mode mode = NONE;
inline int exit_status(TResult result) {
    if (result == _points) return 7;
    if (result == _dirt) return 2;
    return result >= _partially ? result - _partially : result;
}
[[noreturn]] inline void end(TResult result, const std::string &words);
}
class InStream {
public:
    std::FILE *file = nullptr;
    TResult blame = _fail;
    bool strict = false;
    void open(const char *path, TResult blamed) {
        file = std::fopen(path, "rb");
        blame = blamed;
        if (file == nullptr) testlib_double::end(_fail, std::string("cannot open ") + path);
    }
    int peek() { int sign = std::getc(file); std::ungetc(sign, file); return sign; }
    [[noreturn]] void quit(TResult result, const std::string &words) {
        testlib_double::end(blame == _fail ? _fail : result, words);
    }
    bool seekEof() { while (std::isspace(peek())) std::getc(file); return peek() == EOF; }
    bool eof() { return peek() == EOF; }
    std::string readToken() {
        if (!strict && seekEof()) quit(_pe, "Unexpected end of file - token expected");
        std::string token;
        while (peek() != EOF && !std::isspace(peek())) token += char(std::getc(file));
        if (token.empty()) quit(_pe, "Unexpected white-space - token expected");
        return token;
    }
    std::string readWord() { return readToken(); }
    std::string readLine() {
        std::string line;
        int sign;
        while ((sign = std::getc(file)) != EOF && sign != '\n') line += char(sign);
        return line;
    }
    long long readLong() {
        std::string token = readToken();
        char *stop = nullptr;
        errno = 0;
        long long value = std::strtoll(token.c_str(), &stop, 10);
        if (*stop != 0 || errno != 0) quit(_pe, "Expected integer, but \"" + token + "\" found");
        return value;
    }
    long long readLong(long long low, long long high, const char *name = "") {
        long long value = readLong();
        if (value < low || value > high)
            quit(_wa, std::string("Integer parameter ") + name + " equals to " + std::to_string(value));
        return value;
    }
    int readInt() { return int(readLong(-2147483648LL, 2147483647LL)); }
    int readInt(int low, int high, const char *name = "") { return int(readLong(low, high, name)); }
    double readDouble() {
        std::string token = readToken();
        char *stop = nullptr;
        double value = std::strtod(token.c_str(), &stop);
        if (*stop != 0 || !std::isfinite(value)) quit(_pe, "Expected double, but \"" + token + "\" found");
        return value;
    }
    void readChar(char wanted) { if (std::getc(file) != wanted) quit(_pe, "another character expected"); }
    void readSpace() { readChar(' '); }
    void readEoln() { readChar('\n'); }
    void readEof() { if (!eof()) quit(_pe, "end of file expected"); }
};
inline InStream inf, ouf, ans;
inline std::fstream tout;
namespace testlib_double {
inline void end(TResult result, const std::string &words) {
    static bool ending = false;
    if (result == _ok && mode == CHECKER && !ending) {
        ending = true;
        if (!ouf.seekEof()) end(_dirt, "Extra information in the output file");
    }
    const char *name = result == _ok ? "ok" : result == _wa ? "wrong answer" : result == _fail ? "FAIL"
        : result == _points ? "points" : "wrong output format";
    if (result >= _partially) std::fprintf(stderr, "partially correct (%d) %s\n", result - _partially, words.c_str());
    else std::fprintf(stderr, "%s %s\n", name, words.c_str());
    if (tout.is_open()) tout.close();
    std::exit(exit_status(result));
}
inline std::string format(const char *pattern, std::va_list arguments) {
    char text[4096];
    std::vsnprintf(text, sizeof text, pattern, arguments);
    return text;
}
}
[[noreturn]] inline void quit(TResult result, const std::string &words) { testlib_double::end(result, words); }
[[noreturn]] __attribute__((format(printf, 2, 3))) inline void quitf(TResult result, const char *pattern, ...) {
    std::va_list arguments;
    va_start(arguments, pattern);
    testlib_double::end(result, testlib_double::format(pattern, arguments));
}
[[noreturn]] inline void quitp(double points, const std::string &words = "") {
    char text[64];
    std::snprintf(text, sizeof text, "%.10g ", points);
    testlib_double::end(_points, text + words);
}
__attribute__((format(printf, 2, 3))) inline void ensuref(bool holds, const char *pattern, ...) {
    if (holds) return;
    std::va_list arguments;
    va_start(arguments, pattern);
    testlib_double::end(_fail, testlib_double::format(pattern, arguments));
}
inline void registerTestlibCmd(int count, char **arguments) {
    testlib_double::mode = testlib_double::CHECKER;
    if (count < 4) quit(_fail, "must be run with <input-file> <output-file> <answer-file>");
    inf.open(arguments[1], _fail);
    ouf.open(arguments[2], _pe);
    ans.open(arguments[3], _fail);
}
inline void registerInteraction(int count, char **arguments) {
    testlib_double::mode = testlib_double::INTERACTOR;
    if (count < 3) quit(_fail, "must be run with <input-file> <output-file> [<answer-file>]");
    inf.open(arguments[1], _fail);
    tout.open(arguments[2], std::ios_base::out);
    ouf.file = stdin;
    ouf.blame = _pe;
    if (count > 3) ans.open(arguments[3], _fail);
}
inline void registerValidation(int, char **) {
    testlib_double::mode = testlib_double::VALIDATOR;
    inf.file = stdin;
    inf.strict = true;
}
inline void registerValidation() { registerValidation(0, nullptr); }
namespace testlib_double {
inline int given_count = 0;
inline char **given = nullptr;
}
class random_t {
public:
    unsigned long long state = 1;
    long long next(long long low, long long high) {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        return low + (long long)((state >> 33) % (unsigned long long)(high - low + 1));
    }
};
inline random_t rnd;
inline void registerGen(int count, char **arguments, int) {
    testlib_double::given_count = count;
    testlib_double::given = arguments;
    for (int place = 1; place < count; place++)
        for (const char *sign = arguments[place]; *sign; sign++) rnd.state = rnd.state * 131 + (unsigned char)*sign;
}
template <class T> T opt(const std::string &name) {
    for (int place = 1; place + 1 < testlib_double::given_count; place++)
        if ("-" + name == testlib_double::given[place]) return T(std::atoll(testlib_double::given[place + 1]));
    quit(_fail, "no option " + name);
}
template <class T> T opt(int place) {
    if (place >= testlib_double::given_count) quit(_fail, "no argument " + std::to_string(place));
    return T(std::atoll(testlib_double::given[place]));
}
template <class T> void println(const T &value) { std::cout << value << std::endl; }
