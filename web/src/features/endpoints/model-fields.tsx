import { Autocomplete, Group, Select, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';

import { modelsQuery, versionsQuery, type Version } from '@/api/models';
import type { EntityDraft } from '@/features/endpoints/draft';
import { bytes, count } from '@/lib/format';
import { Said } from '@/ui/said';

type ModelFieldsProps = { entity: EntityDraft; problem: string | undefined; put: (change: Partial<EntityDraft>) => void };

/** Which model, and which version of it. */
export function ModelFields({ entity, problem, put }: ModelFieldsProps) {
  const models = useQuery(modelsQuery);
  const known = models.data?.find((model) => model.full_name === entity.entityName);
  const versions = useQuery({ ...versionsQuery(entity.entityName), enabled: known !== undefined }).data ?? [];
  const version = versions.find((one) => String(one.version) === entity.entityVersion);
  const comments = new Map(models.data?.map((model) => [model.full_name, model.comment]));
  const isUnknown = models.data !== undefined && known === undefined && entity.entityName !== '';
  const begun = isUnknown && models.data.some((model) => model.full_name.includes(entity.entityName));
  return (
    <Stack gap="xs">
      <Group align="flex-start">
        <Autocomplete
          label="Entity"
          description="A model of the catalogue, or one that you imported"
          placeholder="Search models"
          data={models.data?.map((model) => model.full_name) ?? []}
          renderOption={({ option }) => (
            <div>
              <Text size="sm">{option.value}</Text>
              <Text size="xs" c="dimmed" lineClamp={1}>
                {comments.get(option.value)}
              </Text>
            </div>
          )}
          value={entity.entityName}
          onChange={(entityName) => put({ entityName, entityVersion: entityName === entity.entityName ? entity.entityVersion : '1' })}
          error={problem ?? (models.isError ? models.error.message : isUnknown && !begun ? 'No model has this name.' : undefined)}
          w={360}
          maw="100%"
          limit={50}
        />
        <Select
          label="Version"
          description="Which one of it"
          data={versions.map((one) => ({ value: String(one.version), label: `${one.version}${one.status === 'READY' ? '' : ' (not ready)'}`, disabled: one.status !== 'READY' }))}
          value={version ? entity.entityVersion : null}
          onChange={(chosen) => put({ entityVersion: chosen ?? '1' })}
          allowDeselect={false}
          disabled={versions.length === 0}
          w={140}
        />
      </Group>
      {version ? (
        <Text size="sm" c="dimmed">
          {[version.comment, factsOf(version)].filter(Boolean).join(' ')} {version.unservable_reason && <Said words={version.unservable_reason} />}
        </Text>
      ) : (
        <Text size="sm" c="dimmed">
          Not there yet?{' '}
          <Link to="/models" search={{ import: 'new' }} className="link-in-text">
            Import a model
          </Link>
          .
        </Text>
      )}
    </Stack>
  );
}

function factsOf({ facts = {} }: Version): string {
  const shown = [
    typeof facts.architecture === 'string' ? `Architecture ${facts.architecture}.` : '',
    typeof facts.weight_bytes === 'number' ? `${bytes(facts.weight_bytes)} of weights.` : '',
    typeof facts.context_length === 'number' ? `Context of ${count(facts.context_length)} tokens.` : '',
    typeof facts.license === 'string' ? `Licence ${facts.license}.` : '',
  ];
  return shown.filter(Boolean).join(' ');
}
