# SPDX-License-Identifier: Apache-2.0
add_executable(pc-fake-controller system/pc_fake_controller.c)
target_link_libraries(pc-fake-controller PRIVATE pcapcheck-core PkgConfig::CZMQ)

trivet_unit_test(pcapcheck-dissect SOURCES unit/pcapcheck_dissect.c LIBS pcapcheck-core)
target_compile_definitions(pcapcheck-dissect PRIVATE
                           GOLDEN_DIR="${CMAKE_CURRENT_SOURCE_DIR}/unit/golden")
trivet_unit_test(pcapcheck-reader SOURCES unit/pcapcheck_reader.c LIBS pcapcheck-core)
trivet_unit_test(pcapcheck-checks SOURCES unit/pcapcheck_checks.c LIBS pcapcheck-core)
