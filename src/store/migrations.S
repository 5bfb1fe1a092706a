/* The scripts of sql/, embedded as they are; migrate.c names them. */
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

    .section .note.GNU-stack,"",%progbits
