/*
 * Reads a filter as text on stdin and writes the program that libseccomp makes of it to stdout.
 *   default ACTION
 *   rule ACTION NAME [INDEX OPERATOR VALUE VALUE2]…
 * ACTION: ALLOW or an errno; OPERATOR: enum scmp_compare. x86_64, x86 and x32, as container profiles have them.
 */
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t action(const char *text)
{
	return strcmp(text, "ALLOW") == 0 ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(atoi(text));
}

int main(void)
{
	char line[4096];
	scmp_filter_ctx filter = NULL;

	while (fgets(line, sizeof line, stdin)) {
		const char *word = strtok(line, " \n");
		if (word == NULL)
			continue;
		const char *what = strtok(NULL, " \n");
		if (strcmp(word, "default") == 0) {
			filter = seccomp_init(action(what));
			if (filter == NULL || seccomp_arch_add(filter, SCMP_ARCH_X86) != 0 || seccomp_arch_add(filter, SCMP_ARCH_X32) != 0)
				return 1;
			continue;
		}
		const char *name = strtok(NULL, " \n");
		struct scmp_arg_cmp compare[6];
		unsigned int count = 0;
		const char *index;
		while (count < 6 && (index = strtok(NULL, " \n")) != NULL) {
			compare[count].arg = (unsigned int)atoi(index);
			compare[count].op = (enum scmp_compare)atoi(strtok(NULL, " \n"));
			compare[count].datum_a = strtoull(strtok(NULL, " \n"), NULL, 10);
			compare[count].datum_b = strtoull(strtok(NULL, " \n"), NULL, 10);
			count++;
		}
		int number = seccomp_syscall_resolve_name(name);
		if (number == __NR_SCMP_ERROR || seccomp_rule_add_array(filter, action(what), number, count, compare) != 0) {
			fprintf(stderr, "%s\n", name);
			return 1;
		}
	}
	return filter != NULL && seccomp_export_bpf(filter, 1) == 0 ? 0 : 1;
}
