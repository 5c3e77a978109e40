#ifndef CINSTRUCTIONS_H
#define CINSTRUCTIONS_H

/* A counter of the instructions that this process executes in user space from now on, with the
   threads that it starts after this. read(2) gives eight bytes. -1 with errno where the machine
   counts none or the kernel does not permit it. */
int cinstructions_open(void);

#endif
