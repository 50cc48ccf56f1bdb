// A key in the keyring of the user id, which no container namespace keeps apart: `add WORD`, `read`, `drop`.
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SESSION_KEYRING (-3) // KEY_SPEC_SESSION_KEYRING
#define USER_KEYRING (-4)   // KEY_SPEC_USER_KEYRING, include/uapi/linux/keyctl.h
#define KEYCTL_REVOKE 3
#define KEYCTL_SEARCH 10
#define KEYCTL_READ 11
#define KEYCTL_SETPERM 5
#define KEYCTL_LINK 8

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  // Who has the user's keyring in the session's possesses what is in it: keyctl link @u @s.
  syscall(SYS_keyctl, KEYCTL_LINK, USER_KEYRING, SESSION_KEYRING);
  if (strcmp(argv[1], "add") == 0) {
    long key = syscall(SYS_add_key, "user", "isolation", argv[2], strlen(argv[2]), USER_KEYRING);
    if (key < 0) { perror("add_key"); return 1; }
    // All rights for the user, as a program that shares the key between its sessions sets them.
    syscall(SYS_keyctl, KEYCTL_SETPERM, key, 0x3f3f0000);
    puts("added");
    return 0;
  }
  long key = syscall(SYS_keyctl, KEYCTL_SEARCH, USER_KEYRING, "user", "isolation", 0);
  if (key < 0) { perror("search"); return 1; }
  if (strcmp(argv[1], "drop") == 0) return syscall(SYS_keyctl, KEYCTL_REVOKE, key) < 0;
  char word[256] = "";
  if (syscall(SYS_keyctl, KEYCTL_READ, key, word, sizeof word - 1) < 0) { perror("read"); return 1; }
  puts(word);
  return 0;
}
