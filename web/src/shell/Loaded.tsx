import { Skeleton, Stack } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Failure } from "./Failure";

/** What was loaded, or what is in its place until then. */
export function Loaded<T>({ query, children }: { query: UseQueryResult<T>; children: (data: T) => ReactNode }) {
  const { t } = useTranslation();
  if (query.isError) return <Failure error={query.error} reset={() => void query.refetch()} />;
  if (query.data === undefined)
    return (
      <Stack role="status" aria-busy aria-label={t("common.loading")}>
        {[1, 2, 3].map((n) => (
          <Skeleton key={n} h={56} />
        ))}
      </Stack>
    );
  return <>{children(query.data)}</>;
}
