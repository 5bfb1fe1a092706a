/* The scripts of sql/, embedded as they are; migrate.c names them. */
#ifdef __CET__
#include <cet.h> /* marks this object as fit for CET, like those of the compiler */
#endif
    .section .rodata
    .global store_migration_0001
store_migration_0001:
    .incbin "0001_first.sql"
    .byte 0
    .global store_migration_0002
store_migration_0002:
    .incbin "0002_remote_attempts.sql"
    .byte 0
    .global store_migration_0003
store_migration_0003:
    .incbin "0003_streams.sql"
    .byte 0
    .global store_migration_0004
store_migration_0004:
    .incbin "0004_keys.sql"
    .byte 0
    .global store_migration_0005
store_migration_0005:
    .incbin "0005_submissions.sql"
    .byte 0
    .global store_migration_0006
store_migration_0006:
    .incbin "0006_callbacks.sql"
    .byte 0
    .global store_migration_0007
store_migration_0007:
    .incbin "0007_files.sql"
    .byte 0
    .global store_migration_0008
store_migration_0008:
    .incbin "0008_admin.sql"
    .byte 0
    .global store_migration_0009
store_migration_0009:
    .incbin "0009_lists.sql"
    .byte 0
    .global store_migration_0010
store_migration_0010:
    .incbin "0010_narrow.sql"
    .byte 0
    .global store_migration_0011
store_migration_0011:
    .incbin "0011_small.sql"
    .byte 0
    .global store_migration_0012
store_migration_0012:
    .incbin "0012_durations.sql"
    .byte 0
    .global store_migration_0013
store_migration_0013:
    .incbin "0013_input_space.sql"
    .byte 0

    .section .note.GNU-stack,"",%progbits
